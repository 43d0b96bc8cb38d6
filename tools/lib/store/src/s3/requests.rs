use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::operation::{delete_object::DeleteObjectError, put_object::PutObjectError};
use base64::prelude::{BASE64_STANDARD, Engine};
use bucket_address::BucketAddress;
use failure::{Failure, Kind, Outcome};

use crate::s3::address;
use crate::s3::connection::{Connection, S3Settings};
use crate::s3::content::Content;
use crate::s3::digest::{hex, is_md5};
use crate::s3::patience::Patience;
use crate::s3::refusal::{code, failure, status};

/// A slower connection than this is none.
pub(crate) const SLOWEST_BYTES_PER_SECOND: u64 = 50_000;

/// What a conditional write expects to find.
pub(crate) enum Expected {
    Anything,
    Nothing,
    Etag(String),
}

/// The requests that a bucket of S3, or what lies below a prefix of one, is asked by. Each is tried again while that may help.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pub(crate) address: Arc<BucketAddress>,
    pub(crate) connection: Arc<Connection>,
    /// How long a request that fails is tried again, and how long a body may take beyond what its length allows.
    pub(crate) max_wait: Duration,
}

impl Requests {
    pub(crate) fn to(place: &str, settings: Option<&S3Settings>) -> Outcome<Requests> {
        let address = Arc::new(address::parse(place)?);
        let connection = match settings {
            None => Connection::shared()?,
            Some(settings) => Arc::new(Connection::new(settings)?),
        };
        let max_wait = connection.max_wait;
        Ok(Requests { address, connection, max_wait })
    }

    /// The same, with no more patience than this.
    pub(crate) fn within(self, most: Duration) -> Requests {
        Requests { max_wait: self.max_wait.min(most), ..self }
    }

    /// How messages call an object.
    pub(crate) fn place(&self, key: &str) -> String {
        self.address.url(key)
    }

    /// Asks for an object, or for the rest of the very same one; none if there is none.
    pub(crate) async fn get(&self, key: &str, rest: Option<(u64, &str)>) -> Outcome<Option<GetObjectOutput>> {
        let mut request =
            self.connection.client.get_object().bucket(&self.address.name).key(self.address.key(key));
        if let Some((offset, etag)) = rest {
            request = request.range(format!("bytes={offset}-")).if_match(etag);
        }
        match request.customize().config_override(self.limits::<GetObjectError>(0)).send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_absent(&error) || (rest.is_some() && status(&error) == 412) => Ok(None),
            Err(error) => Err(refused(&self.place(key), &error)),
        }
    }

    /// Writes an object, if what is there is what is expected.
    pub(crate) async fn put(
        &self,
        key: &str,
        content: Content,
        expected: Expected,
    ) -> Outcome<Option<String>> {
        let place = self.place(key);
        let body = content.stream(&place).await?;
        let request = self.connection.client.put_object().bucket(&self.address.name);
        let request = request.key(self.address.key(key)).body(body);
        let is_conditional = !matches!(expected, Expected::Anything);
        let request = match expected {
            Expected::Anything => request,
            Expected::Nothing => request.if_none_match("*"),
            Expected::Etag(etag) => request.if_match(etag),
        };
        let md5 = if self.connection.checks_md5 { Some(content.md5(&place)?) } else { None };
        let request = request.set_content_md5(md5.map(|md5| BASE64_STANDARD.encode(md5)));
        let limits = self.limits::<PutObjectError>(content.length_bytes());
        match request.customize().config_override(limits).send().await {
            Ok(answer) => {
                let etag = bare(answer.e_tag().unwrap_or_default());
                let is_encrypted =
                    answer.server_side_encryption().is_some() || answer.sse_customer_algorithm().is_some();
                let is_kept = |md5: [u8; 16]| etag.eq_ignore_ascii_case(&hex(&md5));
                if md5.is_some_and(|md5| !is_encrypted && is_md5(&etag) && !is_kept(md5)) {
                    return Err(Failure::unavailable(format!(
                        "{place}: the server keeps other bytes than were sent: they were altered on their way (try again; a server whose \
                         ETags are no MD5 takes FAIRWAY_S3_ETAG_MD5=false)"
                    )));
                }
                Ok(Some(etag))
            }
            // 404: the object that was to be replaced is gone.
            Err(error) if is_conditional && (status(&error) == 412 || is_absent(&error)) => Ok(None),
            Err(error) => Err(refused(&place, &error)),
        }
    }

    /// One page of a listing, from where the one before it ended.
    pub(crate) async fn page(&self, prefix: &str, from: Option<String>) -> Outcome<ListObjectsV2Output> {
        let request = self.connection.client.list_objects_v2().bucket(&self.address.name);
        let request = request.prefix(self.address.key(prefix)).set_continuation_token(from);
        let answer = request.customize().config_override(self.limits::<ListObjectsV2Error>(0)).send().await;
        answer.map_err(|error| refused(&self.place(prefix), &error))
    }

    /// Removes an object; none there is fine.
    pub(crate) async fn delete(&self, key: &str) -> Outcome {
        let request = self.connection.client.delete_object().bucket(&self.address.name);
        let request = request.key(self.address.key(key)).customize();
        match request.config_override(self.limits::<DeleteObjectError>(0)).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(refused(&self.place(key), &error)),
        }
    }

    /// How long one request may take: its tries together while it fails, and each of them.
    fn limits<E>(&self, upload_bytes: u64) -> Builder
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let upload = Duration::from_secs(upload_bytes / SLOWEST_BYTES_PER_SECOND);
        let attempt = self.connection.silence_limit.min(self.max_wait.max(Duration::from_secs(1))) + upload;
        aws_sdk_s3::Config::builder()
            .retry_classifier(Patience::<E>::new(self.max_wait))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
    }
}

/// A failure. After one that is about credentials they are looked for anew.
fn refused<E>(place: &str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let failure = failure(place, error);
    if failure.kind() == Kind::Denied {
        Connection::forget_shared();
    }
    failure
}

/// The object is not there, though the bucket is.
fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    status(error) == 404 && code(error) != "NoSuchBucket"
}

/// An ETag without its quotes: not every server puts them into a listing.
pub(crate) fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
