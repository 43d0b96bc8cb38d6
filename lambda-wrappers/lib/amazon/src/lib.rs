#![doc = include_str!("../README.md")]

mod refusal;
mod request;

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use failure::{Failure, Kind, Outcome, innermost};
use serde_json::Value;

use request::Request;

/// How long one attempt may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// What may pass is tried so often again, after 0.2, 0.4, 0.8 and 1.6 seconds.
const RETRIES: usize = 4;

/// More than any answer has that is asked for here.
const MOST_BYTES: usize = 8 << 20;

/// AWS as a program with this environment sees it: `AWS_REGION`, the keys, and other servers than Amazon's by
/// `AWS_ENDPOINT_URL_<SERVICE>` or `AWS_ENDPOINT_URL`.
pub struct Amazon {
    http: reqwest::Client,
    region: String,
    keys: Keys,
    /// How far Amazon's clock is ahead of ours, in seconds, as far as an answer has told.
    clock_ahead: AtomicI64,
}

struct Keys {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

/// A service, by what its host's name, its variable and its signature call it.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub(crate) host: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) target: &'static str,
}

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// Secrets Manager.
pub const SECRETS: Service = Service {
    host: "secretsmanager",
    variable: "SECRETS_MANAGER",
    content_type: JSON_1_1,
    target: "secretsmanager",
};
/// Systems Manager.
pub const SYSTEMS: Service =
    Service { host: "ssm", variable: "SSM", content_type: JSON_1_1, target: "AmazonSSM" };
/// Queues.
pub const QUEUES: Service =
    Service { host: "sqs", variable: "SQS", content_type: JSON_1_0, target: "AmazonSQS" };

const FUNCTIONS: Service =
    Service { host: "lambda", variable: "LAMBDA", content_type: "application/json", target: "" };
const INSTANCES: Service =
    Service { host: "ec2", variable: "EC2", content_type: "application/x-www-form-urlencoded", target: "" };

/// The version of EC2's API that [`Amazon::instances`] speaks.
const EC2_VERSION: &str = "2016-11-15";

impl Amazon {
    /// The one of this process, kept between invocations.
    pub fn shared() -> Outcome<&'static Amazon> {
        static SHARED: OnceLock<Amazon> = OnceLock::new();
        match SHARED.get() {
            Some(amazon) => Ok(amazon),
            None => {
                let amazon = Amazon::from_env()?;
                Ok(SHARED.get_or_init(|| amazon))
            }
        }
    }

    /// Reads the environment; exit 77 without keys, 78 without a region.
    fn from_env() -> Outcome<Amazon> {
        let filled = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let needed = |name: &str| {
            filled(name).ok_or_else(|| {
                Failure::denied(format!("{name} is not set (a Lambda function has it from its role)"))
            })
        };
        let keys = Keys {
            access_key: needed("AWS_ACCESS_KEY_ID")?,
            secret_key: needed("AWS_SECRET_ACCESS_KEY")?,
            session_token: filled("AWS_SESSION_TOKEN"),
        };
        let region = filled("AWS_REGION").or_else(|| filled("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| Failure::config("AWS_REGION is not set"))?;
        // A second instance in one process (a test) finds the first one's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // As for S3: what a proxy would see is signed, and not for it.
        let http = reqwest::Client::builder().timeout(ATTEMPT_LIMIT).no_proxy().build();
        let http = http.map_err(|error| Failure::config(format!("TLS cannot be set up: {error}")))?;
        Ok(Amazon { http, region, keys, clock_ahead: AtomicI64::new(0) })
    }

    /// Calls an operation of a service that speaks JSON.
    pub async fn call(&self, service: Service, operation: &str, parameters: &Value) -> Outcome<Value> {
        let request = Request {
            service,
            path: "/".to_owned(),
            headers: vec![("x-amz-target", format!("{}.{operation}", service.target))],
            body: parameters.to_string(),
        };
        let answer = self.send(&format!("{} {operation}", service.host), &request).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).map_err(|error| {
            Failure::unavailable(format!("{} {operation}: an answer that is no JSON: {error}", service.host))
        })
    }

    /// Starts a Lambda function, by name or ARN, that runs later by itself.
    pub async fn invoke_later(&self, function: &str, event: &Value) -> Outcome {
        let name = percent_encoding::utf8_percent_encode(function, percent_encoding::NON_ALPHANUMERIC);
        let request = Request {
            service: FUNCTIONS,
            path: format!("/2015-03-31/functions/{name}/invocations"),
            headers: vec![("x-amz-invocation-type", "Event".to_owned())],
            body: event.to_string(),
        };
        self.send(&format!("lambda Invoke {function}"), &request).await.map(drop)
    }

    /// Calls an operation on EC2's instances; `read` takes from the answer, XML, what is wanted.
    pub async fn instances<T>(
        &self,
        operation: &str,
        parameters: &[(&str, &str)],
        read: impl FnOnce(roxmltree::Node<'_, '_>) -> T,
    ) -> Outcome<T> {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let mut body = format!("Action={operation}&Version={EC2_VERSION}");
        for (name, value) in parameters {
            body += &format!("&{name}={}", encode(value));
        }
        let request = Request { service: INSTANCES, path: "/".to_owned(), headers: Vec::new(), body };
        let answer = self.send(&format!("ec2 {operation}"), &request).await?;
        let tree = roxmltree::Document::parse(&answer).map_err(|error| {
            Failure::unavailable(format!("ec2 {operation}: an answer that is no XML: {error}"))
        })?;
        Ok(read(tree.root_element()))
    }

    /// Sends a request, again where that may help, and gives the answer's body.
    async fn send(&self, what: &str, request: &Request) -> Outcome<String> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_times(RETRIES)
            .with_jitter();
        let attempt = || async { self.attempt(what, request).await };
        attempt.retry(waits).when(|failure| failure.kind() == Kind::Unavailable).await
    }

    async fn attempt(&self, what: &str, request: &Request) -> Outcome<String> {
        let signed = self.signed(request).map_err(|failure| failure.at(what))?;
        // Only the innermost reason: the URL in front of it says nothing new.
        let away = |error: reqwest::Error| Failure::unavailable(format!("{what}: {}", innermost(&error)));
        let mut answer = self.http.execute(signed).await.map_err(away)?;
        let status = answer.status().as_u16();
        let their_time = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(away)? {
            body.extend_from_slice(&part);
            if body.len() > MOST_BYTES {
                return Err(Failure::unavailable(format!(
                    "{what}: an answer of more than {MOST_BYTES} bytes"
                )));
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let refusal = refusal::Refusal::read(status, &body);
        if refusal.may_be_the_clock() && self.set_clock(their_time.as_deref()) {
            return Err(Failure::unavailable(format!("{what}: this machine's clock is wrong")));
        }
        Err(refusal.failure(what))
    }

    /// Takes Amazon's time over; whether that changes anything.
    fn set_clock(&self, their_time: Option<&str>) -> bool {
        let theirs = their_time.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let Some(theirs) = theirs else { return false };
        let ahead = theirs.timestamp().as_second() - jiff::Timestamp::now().as_second();
        let before = self.clock_ahead.swap(ahead, Ordering::Relaxed);
        (ahead - before).abs() > 60
    }
}
