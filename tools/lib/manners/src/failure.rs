use std::fmt;
use std::io;

use crate::exit::Exit;
use crate::streams::is_closed_pipe;

/// What a body returns: its result, or why the program must end.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a program ends early: an exit code, and a message of place, reason and remedy.
///
/// The program's name is put in front when the message is printed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A failure with any exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// The answer is no (exit 1).
    pub fn no(message: impl Into<String>) -> Self {
        Self::new(Exit::No, message)
    }

    /// Wrong usage (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Bad or truncated input (exit 65).
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Exit::Data, message)
    }

    /// A service is away, busy or says "later" (exit 69).
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// Credentials were refused (exit 77).
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Exit::Denied, message)
    }

    /// A bad recipe or configuration (exit 78).
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Config, message)
    }

    /// An I/O error at `place` (exit 74). A closed pipe on stdout is the reader's choice: exit 0, silent.
    ///
    /// A failure inside the error, as streams from elsewhere have them, says itself where and why: it stays what it is.
    pub fn io(place: impl fmt::Display, error: &io::Error) -> Self {
        if is_closed_pipe(error) {
            return Self { exit: Exit::Done, message: String::new() };
        }
        if let Some(failure) = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
            return Self { exit: failure.exit, message: failure.message.clone() };
        }
        Self::new(Exit::Io, format!("{place}: {error}"))
    }

    /// Puts a place in front of the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        if !self.is_closed_pipe() {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// The code that the program will end with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether this is only a reader that closed stdout early.
    pub fn is_closed_pipe(&self) -> bool {
        self.exit == Exit::Done
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Turns an `io::Result` into an [`Outcome`] that names the place.
pub trait IoContext<T> {
    /// `place` is a file, a stream or an object: whatever the reader of the message can look at.
    fn place(self, place: impl fmt::Display) -> Outcome<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn place(self, place: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure::io(place, &error))
    }
}
