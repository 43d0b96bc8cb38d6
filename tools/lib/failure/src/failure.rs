use std::fmt;
use std::io;

use crate::Kind;

/// What a body returns: its result, or why the program must end.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why something ends early: a kind of trouble, and a message of place, reason and remedy.
///
/// The program's name is put in front when the message is printed.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
}

impl Failure {
    /// A failure of any kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The answer is no.
    pub fn no(message: impl Into<String>) -> Self {
        Self::new(Kind::No, message)
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Bad or truncated input.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// A service is away, busy or says "later".
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// Credentials were refused.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    /// A bad recipe or configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// An I/O error at `place`. A closed pipe on stdout is the reader's choice, and silent.
    ///
    /// A failure inside the error, as streams from elsewhere have them, says itself where and why: it stays what it is.
    pub fn io(place: impl fmt::Display, error: &io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<PipeClosed>()) {
            return Self { kind: Kind::ClosedPipe, message: String::new() };
        }
        if let Some(failure) = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
            return Self { kind: failure.kind, message: failure.message.clone() };
        }
        Self::new(Kind::Io, format!("{place}: {error}"))
    }

    /// Puts a place in front of the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        if !self.is_closed_pipe() {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this is only a reader that closed stdout early.
    pub fn is_closed_pipe(&self) -> bool {
        self.kind == Kind::ClosedPipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Marks an I/O error as "the reader of stdout closed the pipe", so that it can be told from a socket that broke.
#[derive(Debug)]
pub struct PipeClosed;

impl fmt::Display for PipeClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of stdout closed the pipe")
    }
}

impl std::error::Error for PipeClosed {}
