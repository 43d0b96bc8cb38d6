use std::env;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use failure::{Failure, Outcome};

use crate::{Amazon, Service};

/// A request before it is signed.
pub(crate) struct Request {
    pub(crate) service: Service,
    /// Percent-encoded.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Amazon {
    /// The request with everything that Amazon's signature version 4 adds, at this time.
    pub(crate) fn signed(&self, request: &Request) -> Outcome<reqwest::Request> {
        let impossible =
            |error: &dyn std::error::Error| Failure::config(format!("it cannot be asked: {error}"));
        let url = format!("{}{}", self.endpoint(request.service), request.path);
        let mut http = http::Request::post(&url).header("content-type", request.service.content_type);
        for (name, value) in &request.headers {
            http = http.header(*name, value);
        }
        let mut http = http.body(request.body.clone()).map_err(|error| impossible(&error))?;

        let keys = &self.keys;
        let credentials = Credentials::new(
            keys.access_key.clone(),
            keys.secret_key.clone(),
            keys.session_token.clone(),
            None,
            "environment",
        );
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(request.service.host)
            .time(self.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| impossible(&error))?
            .into();
        let headers =
            http.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new("POST", &url, headers, SignableBody::Bytes(request.body.as_bytes()))
                .map_err(|error| impossible(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| impossible(&error))?.into_parts();
        instructions.apply_to_request_http1x(&mut http);
        reqwest::Request::try_from(http).map_err(|error| impossible(&error))
    }

    /// Our clock, corrected by what Amazon said of its own.
    fn now(&self) -> SystemTime {
        let ahead = self.clock_ahead.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }

    fn endpoint(&self, service: Service) -> String {
        let filled = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let own = filled(&format!("AWS_ENDPOINT_URL_{}", service.variable));
        let region = &self.region;
        own.or_else(|| filled("AWS_ENDPOINT_URL")).map_or_else(
            || {
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://{}.{region}.{domain}", service.host)
            },
            |url| url.trim_end_matches('/').to_owned(),
        )
    }
}
