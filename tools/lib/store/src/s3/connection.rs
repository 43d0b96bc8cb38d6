use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use failure::{Failure, Outcome};

use crate::s3::errand::Errands;
use crate::s3::limit::AnswerLimit;

/// How S3 is reached when that differs from what the environment says.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Another server than Amazon's, like `http://127.0.0.1:8333`.
    pub endpoint: Option<String>,
    /// Access key and secret key.
    pub keys: Option<(String, String)>,
    /// How long a request that fails is tried again.
    pub max_wait: Option<Duration>,
}

/// How long a request that fails is tried again, in seconds: S3 may be gone for a minute.
const MAX_WAIT: &str = "FAIRWAY_S3_MAX_WAIT";
const MAX_WAIT_SECONDS: u64 = 90;

/// Whether keys stand in the URL's path (`true`) or the bucket's name in its host name.
const PATH_STYLE: &str = "FAIRWAY_S3_PATH_STYLE";

/// Whether the ETags of another server than Amazon's are MD5s.
const ETAG_MD5: &str = "FAIRWAY_S3_ETAG_MD5";

/// Never reached: time runs out before.
const MOST_ATTEMPTS: u32 = 1_000;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long S3 may be silent.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// The SDK's client with the thread that drives it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) errands: Errands,
    pub(crate) max_wait: Duration,
    /// Whether ETags are MD5s and bodies are checked by them: where the SDK's own checksums are not known.
    pub(crate) checks_md5: bool,
    /// How long one attempt without a long body may take.
    pub(crate) silence_limit: Duration,
}

static SHARED: Mutex<Option<Arc<Connection>>> = Mutex::new(None);

impl Connection {
    /// The process's own connection: the environment does not change while it runs. `predictd` opens its bucket at each look,
    /// and credentials and connections outlast that.
    pub(crate) fn shared() -> Outcome<Arc<Connection>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = shared.as_ref() {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Connection::new(&S3Settings::default())?);
        *shared = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Forgets the process's own connection: credentials that were refused may have been replaced, and the next one reads them anew.
    pub(crate) fn forget_shared() {
        *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn new(settings: &S3Settings) -> Outcome<Connection> {
        let max_wait = match settings.max_wait {
            Some(max_wait) => max_wait,
            None => Duration::from_secs(
                failure::variable(MAX_WAIT, "a number of seconds")?.unwrap_or(MAX_WAIT_SECONDS),
            ),
        };
        let path_style = failure::variable(PATH_STYLE, "true or false")?;
        let etag_md5 = failure::variable(ETAG_MD5, "true or false")?.unwrap_or(true);
        check_variables()?;
        let errands = Errands::start()?;
        let settings = settings.clone();
        let (config, is_amazons) =
            errands.wait(async move { configure(&settings, max_wait, path_style).await })?;
        Ok(Connection {
            client: Client::from_conf(config),
            errands,
            max_wait,
            checks_md5: etag_md5 && !is_amazons,
            silence_limit: SILENCE_LIMIT.min(max_wait.max(CONNECT_LIMIT)),
        })
    }
}

async fn configure(
    settings: &S3Settings,
    max_wait: Duration,
    path_style: Option<bool>,
) -> Outcome<(aws_sdk_s3::Config, bool)> {
    let http: SharedHttpClient =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let regions = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some((access_key, secret_key)) = &settings.keys {
        loader =
            loader.credentials_provider(Credentials::new(access_key, secret_key, None, None, "settings"));
    }
    let region = regions.region().await;
    let sdk = loader.region(region.clone()).load().await;

    let custom = [&settings.endpoint, &filled("AWS_ENDPOINT_URL_S3"), &sdk.endpoint_url().map(str::to_owned)]
        .into_iter()
        .find_map(Clone::clone);
    if let Some(endpoint) = &custom {
        check_endpoint(endpoint)?;
    }
    if region
        .as_ref()
        .is_some_and(|region| region.as_ref().contains(|c: char| c.is_ascii_control() || !c.is_ascii()))
    {
        return Err(Failure::config("the region of the profile holds a character that no region has"));
    }
    let region = match (region, &custom) {
        (Some(region), _) => region,
        // Such servers take any region, but it is part of the signature.
        (None, Some(_)) => Region::from_static("us-east-1"),
        (None, None) => ImdsRegionProvider::builder().build().region().await.ok_or_else(|| {
            Failure::config(
                "s3://…: no region is set (export AWS_REGION=us-east-1, or name it in the profile)",
            )
        })?,
    };

    // So that there is time for another try.
    let grace = Duration::from_secs(20).min(max_wait / 2).max(Duration::from_secs(1));
    let mut config = Builder::from(&sdk)
        .region(region)
        // Pauses that grow to five seconds; it is `Patience` that ends them.
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(MOST_ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(200))
                .with_max_backoff(Duration::from_secs(5)),
        )
        .retry_partition(RetryPartition::custom("fairway").token_bucket(TokenBucket::unlimited()).build())
        // Otherwise it is reckoned from the attempts, and hours.
        .identity_cache(IdentityCache::lazy().load_timeout(SILENCE_LIMIT).build())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(grace).build())
        .force_path_style(path_style.unwrap_or(custom.is_some()));
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint);
    }
    if custom.is_some() {
        // Not every server of this kind knows the checksums that Amazon's takes.
        if filled("AWS_REQUEST_CHECKSUM_CALCULATION").is_none() {
            config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        }
        if filled("AWS_RESPONSE_CHECKSUM_VALIDATION").is_none() {
            config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
    }
    Ok((config.interceptor(AnswerLimit).build(), custom.is_none()))
}

/// What the SDK puts into headers as it is. A line end, as a file of settings from another system has, would end the thread that talks to S3.
fn check_variables() -> Outcome {
    const IN_HEADERS: [&str; 9] = [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ];
    let is_plain = |value: &std::ffi::OsStr| {
        value.to_str().is_some_and(|text| text.is_ascii() && !text.contains(|c: char| c.is_ascii_control()))
    };
    match IN_HEADERS.into_iter().find(|name| env::var_os(name).is_some_and(|value| !is_plain(&value))) {
        None => Ok(()),
        Some(name) => Err(Failure::config(format!(
            "{name}: it holds a character that no such value has, like a line end (does the file that sets it have Windows line ends?)"
        ))),
    }
}

fn filled(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The endpoint is not repeated: it may hold credentials.
fn check_endpoint(endpoint: &str) -> Outcome {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']) => Ok(()),
        _ => Err(Failure::config(
            "the endpoint of S3 (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile's endpoint_url) is not http://host:port \
             or https://host, without credentials in it",
        )),
    }
}
