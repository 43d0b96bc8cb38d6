use std::io::{self, Read};
use std::sync::{Arc, mpsc};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use manners::{Failure, Outcome};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep};

use crate::s3::bucket::Bucket;
use crate::s3::errand::gone;
use crate::s3::refusal;

/// Parts of a body that wait to be read; each is what the network gave at once.
const AHEAD_PARTS: usize = 2;

/// An object's body broken this often is given up.
const MOST_BREAKS: u32 = 1_000;

/// What arrives from the thread that talks to S3.
enum Part {
    Absent,
    Opened { etag: String },
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
    pub(crate) fn ask(bucket: &Bucket, key: &str) -> Asked {
        let (sender, parts) = mpsc::channel();
        let room = Arc::new(Semaphore::new(AHEAD_PARTS));
        let line = Line { parts: sender, room: Arc::clone(&room) };
        let (bucket, key) = (bucket.clone(), key.to_owned());
        let connection = Arc::clone(&bucket.connection);
        connection.errands.send(async move {
            let last = match fetch(&bucket, &key, &line).await {
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
            Ok(Part::Opened { etag }) => {
                Ok(Some(Body { asked: self, etag, rest: Bytes::new(), ended: false }))
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
async fn fetch(bucket: &Bucket, key: &str, line: &Line) -> Outcome<Part> {
    let Some(answer) = bucket.ask(key, None).await? else { return Ok(Part::Absent) };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let place = bucket.place(key);
    let whole = whole_length(&place, &answer)?;
    let _ = line.parts.send(Part::Opened { etag: etag.clone() });

    let (mut body, mut had) = (answer.body, 0);
    let mut trouble = Trouble::default();
    loop {
        let before = had;
        let Some(reason) = pass_on(&mut body, &mut had, line).await else { return Ok(Part::End) };
        if had == whole && reason.is_empty() {
            return Ok(Part::End);
        }
        if had >= whole {
            return Err(Failure::unavailable(format!(
                "{place}: what arrived is not the object: {reason} (try again)"
            )));
        }
        if had > before {
            trouble.is_over();
        }
        trouble.wait(bucket.connection.max_wait, &place, had, whole, &reason).await?;
        let changed = || {
            Failure::unavailable(format!("{place}: it was changed while it was being read (run this again)"))
        };
        let answer = bucket.ask(key, Some((had, &etag))).await?.ok_or_else(changed)?;
        if !answer.content_range().is_some_and(|range| range.starts_with(&format!("bytes {had}-"))) {
            return Err(Failure::unavailable(format!(
                "{place}: the connection broke after {had} of {whole} bytes, and S3 does not give the rest alone (try again)"
            )));
        }
        body = answer.body;
    }
}

/// Hands a body over. `None`: the reader wants no more; otherwise why it ended, nothing if it says that it is complete.
async fn pass_on(body: &mut ByteStream, had: &mut u64, line: &Line) -> Option<String> {
    loop {
        match body.next().await {
            Some(Ok(bytes)) => {
                *had += bytes.len() as u64;
                if !line.hand(bytes).await {
                    return None;
                }
            }
            Some(Err(error)) => return Some(refusal::innermost(&error)),
            None => return Some(String::new()),
        }
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
