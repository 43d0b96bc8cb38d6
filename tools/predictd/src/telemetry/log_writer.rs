//! Logs of JSON lines that never make an answer wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diagnostics::say;
use failure::{Failure, IoContext, Outcome};

/// So much may wait to be written; what comes then is dropped, and counted.
const WAITING_BYTES: usize = 16 << 20;
/// So much is written at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// How long the end of the program waits for a log to be written.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Time between looks whether the file was moved away, and between attempts to write where that failed.
const LOOK: Duration = Duration::from_secs(1);

/// A log that somebody else's thread writes.
pub(crate) struct LogHandle {
    sender: Sender<Option<Lines>>,
    waiting: Arc<AtomicUsize>,
}

/// Lines that belong together.
struct Lines {
    text: Vec<u8>,
    count: u64,
}

/// The thread that writes.
pub(crate) struct LogWriter {
    name: String,
    sender: Sender<Option<Lines>>,
    thread: JoinHandle<()>,
}

impl LogHandle {
    /// Begins a log in a file, or on stdout for `-`; `dropped` is told of lines that are lost.
    pub(crate) fn begin(
        path: &Path,
        dropped: impl Fn(u64) + Send + 'static,
    ) -> Outcome<(LogHandle, LogWriter)> {
        let (sender, lines) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut sink = Sink::open(path)?;
        let name = sink.name();
        let freed = waiting.clone();
        let write = move || write_all(&lines, &mut sink, &freed, &dropped);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(write);
        let thread = thread.map_err(|error| Failure::io("starting threads", &error))?;
        let writer = LogWriter { name, sender: sender.clone(), thread };
        Ok((LogHandle { sender, waiting }, writer))
    }

    /// Hands lines over; `false` if there is no room for them.
    pub(crate) fn push(&self, text: Vec<u8>, count: u64) -> bool {
        let size = text.len();
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        if before > 0 && before + size > WAITING_BYTES {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        self.sender.send(Some(Lines { text, count })).is_ok()
    }
}

impl LogWriter {
    /// Waits until everything that was handed over by now is written, for some seconds at most.
    pub(crate) fn finish(self) {
        let asked = self.sender.send(None).is_ok();
        let began = Instant::now();
        while asked && !self.thread.is_finished() {
            if began.elapsed() > LAST_LINES {
                say!("{}: its reader does not take the last lines: they are lost", self.name);
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn write_all(lines: &Receiver<Option<Lines>>, sink: &mut Sink, freed: &AtomicUsize, dropped: &impl Fn(u64)) {
    let mut is_over = false;
    while !is_over && let Ok(Some(Lines { mut text, mut count })) = lines.recv() {
        while text.len() < CHUNK_BYTES
            && let Ok(more) = lines.try_recv()
        {
            let Some(more) = more else {
                is_over = true;
                break;
            };
            text.extend_from_slice(&more.text);
            count += more.count;
        }
        if !sink.write(&text) {
            dropped(count);
        }
        freed.fetch_sub(text.len(), Ordering::Relaxed);
    }
}

/// Where lines go.
struct Sink {
    /// None for stdout.
    path: Option<PathBuf>,
    file: File,
    looked: Instant,
    /// It failed at that time, and was not tried since.
    failed: Option<Instant>,
}

impl Sink {
    fn open(path: &Path) -> Outcome<Sink> {
        let path = (path != Path::new("-")).then(|| path.to_owned());
        let file = match &path {
            Some(path) => {
                atomic_file::check_is_no_input(path)?;
                open(path).place(path.display())?
            }
            None => {
                cli::check_stdout_is_open()?;
                File::from(io::stdout().as_fd().try_clone_to_owned().place("stdout")?)
            }
        };
        Ok(Sink { path, file, looked: Instant::now(), failed: None })
    }

    /// Writes lines, or nothing of them; whether it did.
    fn write(&mut self, text: &[u8]) -> bool {
        if self.failed.is_some_and(|when| when.elapsed() < LOOK) {
            return false;
        }
        match self.try_write(text) {
            Ok(()) => {
                if self.failed.take().is_some() {
                    say!("{}: written again", self.name());
                }
                true
            }
            Err(error) => {
                if self.failed.replace(Instant::now()).is_none() {
                    say!(
                        "{}: {error}: lines are dropped until it can be written (predictd_log_lines_dropped_total counts them)",
                        self.name()
                    );
                }
                false
            }
        }
    }

    fn try_write(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(path) = &self.path
            && (self.looked.elapsed() > LOOK || self.failed.is_some())
        {
            self.looked = Instant::now();
            // Moved away by logrotate and its like: a new one begins.
            let same = |there: &std::fs::Metadata, own: std::fs::Metadata| {
                (there.dev(), there.ino()) == (own.dev(), own.ino())
            };
            if !path.metadata().is_ok_and(|there| self.file.metadata().is_ok_and(|own| same(&there, own))) {
                self.file = open(path)?;
            }
        }
        let before = self.file.metadata()?;
        let written = self.file.write_all(text);
        if written.is_err() && before.is_file() {
            // A part of a line would spoil the lines after it.
            self.file.set_len(before.len())?;
        }
        written
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
