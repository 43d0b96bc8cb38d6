/// What kind of trouble it is: a small vocabulary that answers "will a retry help?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The reader of stdout closed the pipe: its choice, and no error.
    ClosedPipe,
    /// The program worked and the answer is no: a gate failed, a model was refused.
    No,
    /// Wrong usage of the command line.
    Usage,
    /// Bad or truncated input.
    Data,
    /// A service is unavailable, busy or says "later": a retry may help.
    Unavailable,
    /// A file could not be read or written, or the disk is full.
    Io,
    /// Credentials were refused.
    Denied,
    /// A bad recipe, schema or configuration: a person has to change something.
    Config,
}
