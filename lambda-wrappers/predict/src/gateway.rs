use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use predictd::{Models, Request, Response, Served};
use serde::Deserialize;
use serde_json::Value;

/// A request as API Gateway hands it over (a REST API's proxy integration).
pub(crate) struct Asked {
    method: String,
    path: String,
    query: String,
    content_type: Option<String>,
    accept: Option<String>,
    body: Vec<u8>,
}

impl Asked {
    pub(crate) fn read(event: &Value) -> Result<Asked, String> {
        let request = ApiGatewayProxyRequest::deserialize(event)
            .map_err(|error| format!("this is no request of API Gateway: {error}"))?;
        let text = request.body.unwrap_or_default();
        let body = if request.is_base64_encoded {
            STANDARD.decode(&text).map_err(|error| format!("a body that is not base64: {error}"))?
        } else {
            text.into_bytes()
        };
        // The resource knows nothing of a domain's base path.
        let path = request.resource.or(request.path).unwrap_or_default();
        let header = |name| request.headers.get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let pairs = request.query_string_parameters.iter();
        let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        Ok(Asked {
            method: request.http_method.as_str().to_owned(),
            path,
            query: query.join("&"),
            content_type: header("content-type"),
            accept: header("accept"),
            body,
        })
    }

    pub(crate) fn answered(&self, served: &Served) -> Response {
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: Some(&self.query),
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            body: &self.body,
            // CloudWatch counts.
            metrics: None,
        };
        predictd::handle(&Models::only(served.clone()), &request)
    }
}

/// The answer as API Gateway takes it.
pub(crate) fn response(response: &Response) -> Value {
    let mut answer = ApiGatewayProxyResponse::default();
    answer.status_code = i64::from(response.status);
    for (name, value) in response.headers() {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            answer.headers.insert(name, value);
        }
    }
    answer.body = Some(String::from_utf8_lossy(&response.body).into_owned().into());
    // Numbers, texts and lists of them always serialise.
    serde_json::to_value(answer).unwrap_or_default()
}
