use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::operation::{delete_object::DeleteObjectError, put_object::PutObjectError};
use manners::Outcome;

use crate::s3::address::Address;
use crate::s3::body::Asked;
use crate::s3::connection::{Connection, S3Settings};
use crate::s3::content::Content;
use crate::s3::patience::Patience;
use crate::s3::refusal::{code, failure, status};
use crate::{Entry, Reader, Written, key};

/// Objects that are asked for before the one in front of them was read.
const AHEAD_OBJECTS: usize = 16;

/// A slower connection than this is none.
const SLOWEST_BYTES_PER_SECOND: u64 = 50_000;

/// A bucket of S3, or what lies below a prefix of one.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    address: Arc<Address>,
    pub(crate) connection: Arc<Connection>,
}

/// What a conditional write expects to find.
enum Expected {
    Anything,
    Nothing,
    Etag(String),
}

impl Bucket {
    pub(crate) fn open(place: &str, settings: Option<&S3Settings>) -> Outcome<Bucket> {
        let address = Arc::new(Address::parse(place)?);
        let connection = match settings {
            None => Connection::shared()?,
            Some(settings) => Arc::new(Connection::new(settings)?),
        };
        Ok(Bucket { address, connection })
    }

    /// How messages call an object.
    pub(crate) fn place(&self, key: &str) -> String {
        self.address.place(key)
    }

    /// Asks for an object without waiting for the answer.
    pub(crate) fn reader(&self, key: &str) -> Asked {
        match key::check(key) {
            Ok(()) => Asked::ask(self, key),
            Err(failure) => Asked::refused(failure),
        }
    }

    /// Objects in the order of their keys here; some are asked for ahead.
    pub(crate) fn readers<'a>(
        &'a self,
        mut keys: impl Iterator<Item = &'a str> + 'a,
    ) -> impl Iterator<Item = Outcome<Option<Reader>>> + 'a {
        let mut ahead = VecDeque::with_capacity(AHEAD_OBJECTS);
        std::iter::from_fn(move || {
            while ahead.len() < AHEAD_OBJECTS {
                let Some(key) = keys.next() else { break };
                ahead.push_back(self.reader(key));
            }
            let asked = ahead.pop_front()?;
            Some(asked.opened().map(|body| body.map(|body| Box::new(body) as Reader)))
        })
    }

    /// One request for an object, or for the rest of the very same one.
    pub(crate) async fn ask(&self, key: &str, rest: Option<(u64, &str)>) -> Outcome<Option<GetObjectOutput>> {
        let mut request =
            self.connection.client.get_object().bucket(&self.address.name).key(self.address.full(key));
        if let Some((offset, etag)) = rest {
            request = request.range(format!("bytes={offset}-")).if_match(etag);
        }
        match request.customize().config_override(self.limits::<GetObjectError>(0)).send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_absent(&error) || (rest.is_some() && status(&error) == 412) => Ok(None),
            Err(error) => Err(failure(&self.place(key), &error)),
        }
    }

    pub(crate) fn put(&self, key: &str, content: &mut dyn Read) -> Outcome {
        let content = Content::read(&self.place(key), content)?;
        self.write(key, content, Expected::Anything).map(drop)
    }

    pub(crate) fn put_if(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Outcome<Written> {
        let content = Content::Memory(bytes.to_vec().into());
        let expected = expected.map_or(Expected::Nothing, |etag| Expected::Etag(etag.to_owned()));
        if self.write(key, content, expected)? == Written::Done {
            return Ok(Written::Done);
        }
        // An earlier try of this very request may have written, and its reply was lost.
        let mut there = Vec::new();
        let own = match self.reader(key).opened()? {
            Some(mut body) => {
                body.read_to_end(&mut there)
                    .map_err(|error| manners::Failure::io(self.place(key), &error))?;
                there == bytes
            }
            None => false,
        };
        Ok(if own { Written::Done } else { Written::Lost })
    }

    fn write(&self, key: &str, content: Content, expected: Expected) -> Outcome<Written> {
        let (bucket, key) = (self.clone(), key.to_owned());
        self.connection.errands.wait(async move {
            let place = bucket.place(&key);
            let body = content.stream(&place).await?;
            let request = bucket
                .connection
                .client
                .put_object()
                .bucket(&bucket.address.name)
                .key(bucket.address.full(&key))
                .body(body);
            let is_conditional = !matches!(expected, Expected::Anything);
            let request = match expected {
                Expected::Anything => request,
                Expected::Nothing => request.if_none_match("*"),
                Expected::Etag(etag) => request.if_match(etag),
            };
            let limits = bucket.limits::<PutObjectError>(content.length_bytes());
            match request.customize().config_override(limits).send().await {
                Ok(_) => Ok(Written::Done),
                // 404: the object that was to be replaced is gone.
                Err(error) if is_conditional && (status(&error) == 412 || is_absent(&error)) => {
                    Ok(Written::Lost)
                }
                Err(error) => Err(failure(&place, &error)),
            }
        })
    }

    pub(crate) fn list(&self, prefix: &str) -> Outcome<Vec<Entry>> {
        let (bucket, prefix) = (self.clone(), prefix.to_owned());
        self.connection.errands.wait(async move {
            let mut entries = Vec::new();
            let mut next = None;
            loop {
                let page = bucket.page(&prefix, next).await?;
                entries.extend(page.contents().iter().filter_map(|object| {
                    let key = object.key()?.strip_prefix(&bucket.address.prefix)?;
                    // Keys that the store cannot write are none of its objects.
                    key::check(key).ok()?;
                    let size_bytes = u64::try_from(object.size()?).ok()?;
                    Some(Entry { key: key.to_owned(), size_bytes })
                }));
                next = page.next_continuation_token().map(str::to_owned);
                if next.is_none() {
                    return Ok(entries);
                }
            }
        })
    }

    async fn page(&self, prefix: &str, from: Option<String>) -> Outcome<ListObjectsV2Output> {
        let request = self.connection.client.list_objects_v2().bucket(&self.address.name);
        let request = request.prefix(self.address.full(prefix)).set_continuation_token(from);
        let answer = request.customize().config_override(self.limits::<ListObjectsV2Error>(0)).send().await;
        answer.map_err(|error| failure(&self.place(prefix), &error))
    }

    pub(crate) fn delete(&self, key: &str) -> Outcome {
        let (bucket, key) = (self.clone(), key.to_owned());
        self.connection.errands.wait(async move {
            let request = bucket.connection.client.delete_object().bucket(&bucket.address.name);
            let request = request.key(bucket.address.full(&key)).customize();
            match request.config_override(bucket.limits::<DeleteObjectError>(0)).send().await {
                Ok(_) => Ok(()),
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(failure(&bucket.place(&key), &error)),
            }
        })
    }

    /// How long one request may take: its tries together while it fails, and each of them.
    fn limits<E>(&self, upload_bytes: u64) -> Builder
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let upload = Duration::from_secs(upload_bytes / SLOWEST_BYTES_PER_SECOND);
        let attempt = self.connection.silence_limit + upload;
        aws_sdk_s3::Config::builder()
            .retry_classifier(Patience::<E>::new(self.connection.max_wait))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
    }
}

/// The object is not there, though the bucket is.
fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    status(error) == 404 && code(error) != "NoSuchBucket"
}
