use failure::Kind;

/// The exit codes of every program: a small vocabulary that answers "will a retry help?".
///
/// The numbers above 64 are those of BSD's `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done. A reader that closed the pipe early counts as done.
    Done = 0,
    /// The program worked and the answer is no: a gate failed, a model was refused.
    No = 1,
    /// Wrong usage of the command line.
    Usage = 2,
    /// Bad or truncated input (`EX_DATAERR`).
    Data = 65,
    /// A service is unavailable, busy or says "later": try again (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A file could not be read or written, or the disk is full (`EX_IOERR`).
    Io = 74,
    /// Credentials were refused (`EX_NOPERM`).
    Denied = 77,
    /// A bad recipe or configuration: a person has to change something (`EX_CONFIG`).
    Config = 78,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The exit of this number, if it is one of ours.
    pub fn of_code(code: i32) -> Option<Exit> {
        use Exit::{Config, Data, Denied, Done, Io, No, Unavailable, Usage};
        let all = [Done, No, Usage, Data, Unavailable, Io, Denied, Config];
        all.into_iter().find(|exit| i32::from(exit.code()) == code)
    }

    /// What kind of failure it tells of; `None` for 0.
    pub fn kind(self) -> Option<Kind> {
        Some(match self {
            Exit::Done => return None,
            Exit::No => Kind::No,
            Exit::Usage => Kind::Usage,
            Exit::Data => Kind::Data,
            Exit::Unavailable => Kind::Unavailable,
            Exit::Io => Kind::Io,
            Exit::Denied => Kind::Denied,
            Exit::Config => Kind::Config,
        })
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Exit {
        match kind {
            Kind::ClosedPipe => Exit::Done,
            Kind::No => Exit::No,
            Kind::Usage => Exit::Usage,
            Kind::Data => Exit::Data,
            Kind::Unavailable => Exit::Unavailable,
            Kind::Io => Exit::Io,
            Kind::Denied => Exit::Denied,
            Kind::Config => Exit::Config,
        }
    }
}

/// The exit codes as `--help` shows them.
pub const HELP: &str = "Exit codes:
  0 done   1 the answer is no   2 wrong usage   65 bad or truncated input   69 unavailable, busy, later
  74 I/O error   77 credentials refused   78 bad recipe or configuration";
