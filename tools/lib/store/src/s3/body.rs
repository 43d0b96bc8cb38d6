use std::io::{self, Read};
use std::sync::{Arc, mpsc};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use failure::{Failure, Outcome, innermost};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::s3::digest::{hex, is_md5};
use crate::s3::errand::gone;
use crate::s3::requests::{Requests, SLOWEST_BYTES_PER_SECOND, bare};

/// Parts of a body that wait to be read; each is what the network gave at once.
const AHEAD_PARTS: usize = 2;

/// An object's body broken this often is given up.
const MOST_BREAKS: u32 = 1_000;

/// How the message of a body begins that is not what its ETag says.
pub(crate) const ALTERED: &str = "what arrived is not what its ETag says";

/// What arrives from the thread that talks to S3.
enum Part {
    Absent,
    Opened { etag: String, whole: u64 },
    Bytes(Bytes),
    End,
    Failed(Failure),
}

/// An object that was asked for.
pub(crate) struct Asked {
    parts: mpsc::Receiver<Part>,
    room: Arc<Semaphore>,
}

/// An object's bytes, as they arrive. What is cut is asked for again from there on; what cannot be had is an error, never an end.
pub(crate) struct Body {
    asked: Asked,
    etag: String,
    whole: u64,
    rest: Bytes,
    ended: bool,
}

impl Asked {
    /// An answer that came before any question: the key cannot be asked for.
    pub(crate) fn refused(failure: Failure) -> Asked {
        let (sender, parts) = mpsc::channel();
        let _ = sender.send(Part::Failed(failure));
        Asked { parts, room: Arc::new(Semaphore::new(0)) }
    }

    /// Asks for an object, without waiting.
    pub(crate) fn ask(requests: &Requests, key: &str) -> Asked {
        let (sender, parts) = mpsc::channel();
        let room = Arc::new(Semaphore::new(AHEAD_PARTS));
        let line = Line { parts: sender, room: Arc::clone(&room) };
        let (requests, key) = (requests.clone(), key.to_owned());
        let connection = Arc::clone(&requests.connection);
        connection.errands.send(async move {
            let last = match fetch(&requests, &key, &line).await {
                Ok(last) => last,
                Err(failure) => Part::Failed(failure),
            };
            let _ = line.parts.send(last);
        });
        Asked { parts, room }
    }

    /// Waits until S3 has answered.
    pub(crate) fn opened(self) -> Outcome<Option<Body>> {
        match self.parts.recv() {
            Ok(Part::Opened { etag, whole }) => {
                Ok(Some(Body { asked: self, etag, whole, rest: Bytes::new(), ended: false }))
            }
            Ok(Part::Absent) => Ok(None),
            Ok(Part::Failed(failure)) => Err(failure),
            Ok(Part::Bytes(_) | Part::End) | Err(_) => Err(gone()),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Nobody reads on: the errand ends at its next part.
        self.room.close();
    }
}

impl Body {
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// How long it is in all.
    pub(crate) fn whole_bytes(&self) -> u64 {
        self.whole
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended && !buffer.is_empty() {
            match self.asked.parts.recv() {
                Ok(Part::Bytes(bytes)) => {
                    self.asked.room.add_permits(1);
                    self.rest = bytes;
                }
                Ok(Part::End) => self.ended = true,
                Ok(Part::Failed(failure)) => return Err(io::Error::other(failure)),
                Ok(Part::Absent | Part::Opened { .. }) | Err(_) => return Err(io::Error::other(gone())),
            }
        }
        let n = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

/// The errand's end of the line to the reader.
struct Line {
    parts: mpsc::Sender<Part>,
    room: Arc<Semaphore>,
}

impl Line {
    /// Hands bytes over when there is room for them; whether the reader still wants any.
    async fn hand(&self, bytes: Bytes) -> bool {
        match self.room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return false,
        }
        self.parts.send(Part::Bytes(bytes)).is_ok()
    }
}

/// Reads the whole object, over as many requests as that takes, and says what is the last part.
async fn fetch(requests: &Requests, key: &str, line: &Line) -> Outcome<Part> {
    let Some(answer) = requests.get(key, None).await? else { return Ok(Part::Absent) };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let place = requests.place(key);
    let whole = whole_length(&place, &answer)?;
    let mut check = Check::of(&answer, requests.connection.checks_md5);
    let _ = line.parts.send(Part::Opened { etag: etag.clone(), whole });

    let (mut body, mut had) = (answer.body, 0);
    let mut trouble = Trouble::default();
    // All the waiting for the network together: a byte now and then is no answer.
    let mut left =
        requests.max_wait.max(Duration::from_secs(1)) + Duration::from_secs(whole / SLOWEST_BYTES_PER_SECOND);
    loop {
        let before = had;
        let Some(reason) = pass_on(&mut body, &mut had, line, &mut check, &mut left).await else {
            return Ok(Part::End);
        };
        if left.is_zero() && !(had == whole && reason.is_empty()) {
            return Err(Failure::unavailable(format!(
                "{place}: only {had} of {whole} bytes arrived, more slowly than {SLOWEST_BYTES_PER_SECOND} bytes a second (try again later)"
            )));
        }
        if had == whole && reason.is_empty() {
            return match check.holds() {
                true => Ok(Part::End),
                false => Err(Failure::unavailable(format!(
                    "{place}: {ALTERED}: it was altered on its way, or in the bucket (try again; a server whose \
                     ETags are no MD5 takes FAIRWAY_S3_ETAG_MD5=false)"
                ))),
            };
        }
        if had >= whole {
            return Err(Failure::unavailable(format!(
                "{place}: what arrived is not the object: {reason} (try again)"
            )));
        }
        if had > before {
            trouble.is_over();
        }
        let asked = Instant::now();
        trouble.wait(requests.max_wait, &place, had, whole, &reason).await?;
        let changed = || {
            Failure::unavailable(format!("{place}: it was changed while it was being read (run this again)"))
        };
        let answer = requests.get(key, Some((had, &etag))).await?.ok_or_else(changed)?;
        left = left.saturating_sub(asked.elapsed());
        // Not every server looks at If-Match when a range is asked for.
        let is_other =
            |range: &str| range.rsplit_once('/').is_some_and(|(_, total)| total != whole.to_string());
        if answer.e_tag().is_some_and(|other| other != etag) || answer.content_range().is_some_and(is_other) {
            return Err(changed());
        }
        if !answer.content_range().is_some_and(|range| range.starts_with(&format!("bytes {had}-"))) {
            return Err(Failure::unavailable(format!(
                "{place}: the connection broke after {had} of {whole} bytes, and S3 does not give the rest alone (try again)"
            )));
        }
        body = answer.body;
    }
}

/// Hands a body over. `None`: the reader wants no more; otherwise why it ended, nothing if it says that it is complete.
async fn pass_on(
    body: &mut ByteStream,
    had: &mut u64,
    line: &Line,
    check: &mut Check,
    left: &mut Duration,
) -> Option<String> {
    loop {
        let asked = Instant::now();
        let next = timeout(*left, body.next()).await;
        *left = left.saturating_sub(asked.elapsed());
        match next {
            Err(_) => {
                *left = Duration::ZERO;
                return Some("it is too slow".to_owned());
            }
            Ok(next) => match next {
                Some(Ok(bytes)) => {
                    *had += bytes.len() as u64;
                    check.add(&bytes);
                    if !line.hand(bytes).await {
                        return None;
                    }
                }
                Some(Err(error)) => return Some(innermost(&error).to_string()),
                None => return Some(String::new()),
            },
        }
    }
}

/// The MD5 that an ETag is, beside that of what arrives. Amazon's own bodies are checked by the SDK, with checksums that other servers do not have.
struct Check(Option<(Md5, String)>);

impl Check {
    fn of(answer: &GetObjectOutput, checks_md5: bool) -> Check {
        let is_encrypted =
            answer.server_side_encryption().is_some() || answer.sse_customer_algorithm().is_some();
        let etag = bare(answer.e_tag().unwrap_or_default());
        Check((checks_md5 && !is_encrypted && is_md5(&etag)).then(|| (Md5::new(), etag.to_lowercase())))
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Check(Some((md5, _))) = self {
            md5.update(bytes);
        }
    }

    fn holds(self) -> bool {
        self.0.is_none_or(|(md5, etag)| hex(&md5.finalize()) == etag)
    }
}

fn whole_length(place: &str, answer: &GetObjectOutput) -> Outcome<u64> {
    let said = answer.content_length().and_then(|length| u64::try_from(length).ok());
    said.ok_or_else(|| {
        Failure::unavailable(format!(
            "{place}: S3 does not say how long it is, so that a cut could not be told from its end"
        ))
    })
}

/// Breaks one after the other, without a byte in between.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    breaks_in_a_row: u32,
    breaks: u32,
}

impl Trouble {
    fn is_over(&mut self) {
        self.since = None;
        self.breaks_in_a_row = 0;
    }

    /// Waits longer each time, and at last no more.
    async fn wait(&mut self, limit: Duration, place: &str, had: u64, whole: u64, reason: &str) -> Outcome {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= limit || self.breaks >= MOST_BREAKS {
            let reason = if reason.is_empty() { "the connection was closed" } else { reason };
            return Err(Failure::unavailable(format!(
                "{place}: only {had} of {whole} bytes arrived: {reason} (try again later)"
            )));
        }
        let pause = Duration::from_millis(100) * 2_u32.pow(self.breaks_in_a_row.min(5));
        self.breaks_in_a_row += 1;
        self.breaks += 1;
        sleep(pause).await;
        Ok(())
    }
}
