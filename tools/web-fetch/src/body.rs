use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use http_client::{Cut, read_body};
use reqwest::blocking::Response;
use reqwest::header::CONTENT_ENCODING;
use sources::Limits;

/// What few bytes become may be many times as long.
const SMALL_BYTES: u64 = 1 << 20;

/// The body of an answer, as it was before it was compressed: whole, and within the limits.
pub(crate) fn body(response: Response, limits: &Limits, most: u64, started: Instant) -> Result<Vec<u8>, Cut> {
    let encoding =
        response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let most_bytes = usize::try_from(most).unwrap_or(usize::MAX);
    let timeout: Duration = limits.timeout.0;
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => read_body(response, most_bytes, started, timeout),
        Some(b"gzip" | b"x-gzip") => {
            let sent = Rc::new(Cell::new(0));
            let counted = Counted { inner: response, count: Rc::clone(&sent), most, started, timeout };
            let plain = Ratio { inner: MultiGzDecoder::new(counted), sent, made: 0, ratio: limits.ratio };
            read_body(plain, most_bytes, started, timeout)
        }
        // Not quoted: a server may put a secret there, in small letters.
        Some(_) => Err(Cut::Broken("it has an encoding that nobody asked for".to_owned())),
    }
}

/// Counts what was sent.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
    most: u64,
    started: Instant,
    timeout: Duration,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Here, because what is sent may become nothing: whoever reads on that side waits for a first byte.
        if self.started.elapsed() > self.timeout {
            return Err(io::Error::other(format!("not whole after {} s", self.timeout.as_secs_f64())));
        }
        let n = self.inner.read(into)?;
        self.count.set(self.count.get() + n as u64);
        if self.count.get() > self.most {
            return Err(io::Error::other("more was sent than a body may have"));
        }
        Ok(n)
    }
}

/// Ends what becomes too many times as long as it was sent.
struct Ratio<R> {
    inner: R,
    sent: Rc<Cell<u64>>,
    made: u64,
    ratio: u64,
}

impl<R: Read> Read for Ratio<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.made += n as u64;
        if self.made > SMALL_BYTES && self.made > self.sent.get().saturating_mul(self.ratio) {
            return Err(io::Error::other(BOMB));
        }
        Ok(n)
    }
}

/// Found again in the words of a cut.
pub(crate) const BOMB: &str = "it becomes more times as long as it was sent than limits.ratio allows";
