use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::failure::{Failure, IoContext, Outcome};
use crate::start::program;

/// A named stream of bytes: stdin or a file.
pub struct Input {
    /// How messages call it: `stdin` or the path.
    pub name: String,
    /// Its bytes, unbuffered.
    pub reader: Box<dyn Read + Send>,
}

/// Opens the file at `path`; no path and `-` mean stdin.
pub fn input(path: Option<&Path>) -> Outcome<Input> {
    match path {
        Some(path) if path.as_os_str() != "-" => {
            let name = path.display().to_string();
            let file = File::open(path).place(&name)?;
            Ok(Input { name, reader: Box::new(file) })
        }
        _ => Ok(Input { name: "stdin".to_owned(), reader: Box::new(io::stdin()) }),
    }
}

/// Reads a whole small file of text: a recipe, a manifest.
pub fn read_text(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::config(format!("{}: there is no such file", path.display())),
        _ => Failure::io(path.display(), &error),
    })
}

/// Reads a whole small file of a kind that is parsed from text, like a recipe; failures name it.
pub fn parse_file<T: FromStr<Err = Failure>>(path: &Path) -> Outcome<T> {
    read_text(path)?.parse().map_err(|failure: Failure| failure.at(path.display()))
}

/// Standard output, in blocks of 64 KiB. End with [`Write::flush`]: a writer that is dropped swallows the
/// error of a full disk.
pub type Stdout = BufWriter<ClosingPipe>;

/// Opens standard output for data.
///
/// It is a duplicate of the descriptor, because `std::io::stdout()` flushes at every line.
pub fn stdout() -> Outcome<Stdout> {
    let fd = io::stdout().as_fd().try_clone_to_owned().place("stdout")?;
    Ok(BufWriter::with_capacity(64 * 1024, ClosingPipe(File::from(fd))))
}

/// A file whose "broken pipe" can be told from any other socket's or file's.
#[derive(Debug)]
pub struct ClosingPipe(File);

impl Write for ClosingPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
    }
}

#[derive(Debug)]
struct PipeClosed;

impl fmt::Display for PipeClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of stdout closed the pipe")
    }
}

impl std::error::Error for PipeClosed {}

fn mark(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { io::Error::other(PipeClosed) } else { error }
}

pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<PipeClosed>())
}

static VOICE: OnceLock<fn(&str)> = OnceLock::new();

/// From now on, words go there instead of to stderr: a process with a log of its own calls this first.
pub fn speak_through(voice: fn(&str)) {
    // A second call in one process (a test) keeps the first voice.
    let _ = VOICE.set(voice);
}

/// Says one line on stderr (see [`crate::say!`]). A stderr that cannot be written is nobody's business.
pub fn say_line(words: fmt::Arguments<'_>) {
    if let Some(voice) = VOICE.get() {
        return voice(&words.to_string());
    }
    // In one write: the stages of a pipeline share their terminal, and lines must not mix.
    let line = format!("{}: {words}\n", program());
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
