//! What S3's refusals mean to the user. Credentials, signatures and what servers say about them are never repeated.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use failure::{Failure, Kind, causes, innermost};

/// Why a request failed, as a message with its exit code.
pub(crate) fn failure<E>(place: &str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(error) = find::<CredentialsError>(error) {
        return no_credentials(place, error);
    }
    let (exit, words) = match error {
        SdkError::ServiceError(answer) => answered(answer.err(), answer.raw()),
        SdkError::ResponseError(answer) => (
            Kind::Unavailable,
            format!("S3's answer ({}) was cut or is no answer of S3's ({AGAIN})", answer.raw().status()),
        ),
        SdkError::TimeoutError(_) => (Kind::Unavailable, format!("S3 does not answer ({AGAIN})")),
        SdkError::DispatchFailure(_) => {
            let reason = innermost(error);
            (Kind::Unavailable, format!("S3 cannot be reached: {reason} ({AGAIN}; is the endpoint right?)"))
        }
        _ => (Kind::Config, format!("the request cannot be made: {}", innermost(error))),
    };
    Failure::new(exit, format!("{place}: {words}"))
}

const AGAIN: &str = "try again later";

/// The code by which S3 names an error.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// The answer's HTTP status.
pub(crate) fn status<E>(error: &SdkError<E>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

fn answered<E: ProvideErrorMetadata>(error: &E, response: &HttpResponse) -> (Kind, String) {
    let status = response.status().as_u16();
    let code = error.code().filter(|code| code.len() < 60 && code.chars().all(|c| c.is_ascii_alphanumeric()));
    let named = code.map_or_else(|| format!("status {status}"), |code| format!("{code}, status {status}"));
    match (code.unwrap_or_default(), status) {
        ("RequestTimeTooSkewed", _) => {
            (Kind::Config, format!("this machine's clock is {} ({named}; set it right)", skew(response)))
        }
        ("NoSuchBucket", _) => (
            Kind::Config,
            format!(
                "there is no such bucket ({named}; check its name, the region and the endpoint; it is never made by writing to it)"
            ),
        ),
        ("BadDigest", _) => {
            (Kind::Unavailable, format!("what was sent was altered on its way ({named}; {AGAIN})"))
        }
        ("IncompleteBody" | "RequestTimeout", _) => {
            (Kind::Unavailable, format!("what was sent was cut or slow on its way ({named}; {AGAIN})"))
        }
        ("ExpiredToken" | "TokenRefreshRequired" | "RequestExpired", _) => {
            (Kind::Denied, format!("the credentials have expired ({named}; renew them)"))
        }
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "InvalidClientTokenId", _) => (
            Kind::Denied,
            format!(
                "the credentials were refused ({named}; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile)"
            ),
        ),
        ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => {
            (Kind::Config, format!("the bucket is in another region ({named}; set AWS_REGION to its region)"))
        }
        (_, 401 | 403) => (
            Kind::Denied,
            format!(
                "access was refused ({named}; these credentials may not do this: s3:GetObject, PutObject, DeleteObject and ListBucket are what is needed)"
            ),
        ),
        ("EntityTooLarge", _) | (_, 413) => {
            (Kind::Data, format!("S3 does not take an object of this size ({named})"))
        }
        (_, 409 | 429 | 500..) => {
            (Kind::Unavailable, format!("S3 says \"later\" or has trouble ({named}; {AGAIN})"))
        }
        _ => (Kind::Config, format!("S3 refused the request ({named})")),
    }
}

/// By how much the clock is wrong, as far as the answer's date tells.
fn skew(response: &HttpResponse) -> String {
    let date = response
        .headers()
        .get("date")
        .and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let Some(date) = date else { return "wrong".to_owned() };
    match date.secs() - i64::try_from(now).unwrap_or_default() {
        -60..=60 => "wrong".to_owned(),
        behind @ 61.. => format!("wrong: {} minutes behind S3's", behind / 60),
        ahead => format!("wrong: {} minutes ahead of S3's", -ahead / 60),
    }
}

/// The provider's own words are left out: an external process may say anything.
fn no_credentials(place: &str, error: &CredentialsError) -> Failure {
    let (exit, words) = match error {
        CredentialsError::CredentialsNotLoaded(_) => (
            Kind::Denied,
            "no credentials were found (looked in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile AWS_PROFILE of \
             ~/.aws/config and ~/.aws/credentials, a web identity, and the container's or instance's role)",
        ),
        CredentialsError::InvalidConfiguration(_) => (
            Kind::Config,
            "the credentials' configuration cannot be used (check the profile in ~/.aws/config)",
        ),
        CredentialsError::ProviderTimedOut(_) => {
            (Kind::Unavailable, "the source of the credentials does not answer (try again later)")
        }
        _ => (
            Kind::Denied,
            "the source of the credentials gave none (ask the profile's process, the container's or instance's role, or the \
             sign-on yourself: aws sts get-caller-identity)",
        ),
    };
    Failure::new(exit, format!("{place}: {words}"))
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref::<T>())
}
