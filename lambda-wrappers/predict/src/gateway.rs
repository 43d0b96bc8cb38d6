use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use predictd::{Found, Handled, Request, Response, Snapshot, Wanted};
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

    pub(crate) fn answered(&self, snapshot: &Snapshot) -> Response {
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: Some(&self.query),
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            body: &self.body,
            // CloudWatch counts.
            metrics: None,
            wanted: Wanted::default(),
        };
        match predictd::handle(snapshot, &request, &Found::default()) {
            Handled::Answer(answer) => answer,
            Handled::Needs(needs) => match needs {},
        }
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

#[cfg(test)]
mod tests {
    use predictd::{Found, Handled, Request, Served, Snapshot, Wanted};
    use serde_json::{Value, json};

    use super::{Asked, response};

    /// A recorded event, asked in another way.
    fn event(method: &str, resource: &str, body: &str) -> Value {
        let recorded = include_str!("../../../fixtures/lambda/api_request.json");
        let mut event: Value = serde_json::from_str(recorded).unwrap();
        event["httpMethod"] = json!(method);
        event["resource"] = json!(resource);
        event["queryStringParameters"] = json!({ "trial": "true" });
        event["body"] = json!(body);
        event
    }

    #[test]
    fn an_event_is_answered_by_the_one_function() {
        let snapshot = Snapshot::only(Served { loaded: None, stale_reason: Some("no bucket".to_owned()) });
        for (method, path, status) in
            [("POST", "/predict", 503), ("GET", "/model", 503), ("PUT", "/model", 405), ("GET", "/x", 404)]
        {
            let asked = Asked::read(&event(method, path, "{}")).unwrap();
            let answered = response(&asked.answered(&snapshot));
            let request = Request {
                method,
                path,
                query: Some("trial=true"),
                content_type: Some("application/json"),
                accept: Some("*/*"),
                body: b"{}",
                metrics: None,
                wanted: Wanted::default(),
            };
            let Handled::Answer(answer) = predictd::handle(&snapshot, &request, &Found::default());
            assert_eq!((answered["statusCode"].as_u64(), answer.status), (Some(status), status as u16));
            assert_eq!(answered["body"].as_str().unwrap().as_bytes(), answer.body);
            assert_eq!(answered["headers"]["content-type"], "application/problem+json");
        }
    }

    #[test]
    fn what_no_gateway_sends_is_refused() {
        let mut broken = event("POST", "/predict", "%");
        broken["isBase64Encoded"] = json!(true);
        for (event, wanted) in [(json!(7), "no request of API Gateway"), (broken, "not base64")] {
            let refused = Asked::read(&event).err().unwrap();
            assert!(refused.contains(wanted), "{refused}");
        }
    }
}
