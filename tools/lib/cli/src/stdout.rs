use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use failure::{Failure, IoContext, Outcome, PipeClosed};
use rows::{Row, Writer};

/// How messages call standard output.
const NAME: &str = "stdout";

/// Standard output, in blocks of 64 KiB. End with [`Stdout::finish`]: what is dropped swallows the error of a full disk.
///
/// Its errors name their place themselves, also those that come through [`Write`]: `IoContext::place` leaves them as they
/// are, and so does `Failure::io`.
#[derive(Debug)]
pub struct Stdout(BufWriter<File>);

/// Opens standard output for data.
///
/// It is a duplicate of the descriptor, because `std::io::stdout()` flushes at every line. Where the caller closed it
/// (`>&-`), what is written would be lost: an I/O error, before any of it is made.
pub fn stdout() -> Outcome<Stdout> {
    check_stdout_is_open()?;
    let fd = io::stdout().as_fd().try_clone_to_owned().place(NAME)?;
    Ok(Stdout::over(File::from(fd)))
}

impl Stdout {
    fn over(file: File) -> Stdout {
        Stdout(BufWriter::with_capacity(64 * 1024, file))
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Outcome {
        self.0.write_all(bytes).map_err(failure)
    }

    /// Writes all of `bytes`, and everything before them, at once: a header, which the next program wants to see before the rows come.
    pub fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.write(bytes)?;
        self.0.flush().map_err(failure)
    }

    /// Hands on everything that was written.
    pub fn finish(mut self) -> Outcome {
        self.0.flush().map_err(failure)
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// What is written to a stream that the caller closed goes nowhere.
pub fn check_stdout_is_open() -> Outcome {
    match closed_streams::stdout() {
        false => Ok(()),
        true => Err(Failure::io(
            NAME,
            &io::Error::other("it is closed (name /dev/null where no output is wanted)"),
        )),
    }
}

/// A reader that closed the pipe can be told from any other socket or file that broke.
fn failure(error: io::Error) -> Failure {
    let error = if error.kind() == io::ErrorKind::BrokenPipe { io::Error::other(PipeClosed) } else { error };
    Failure::io(NAME, &error)
}

/// The error as one that names its place. "Interrupted" asks the caller to try again, and stays what it is.
fn named(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted { error } else { io::Error::other(failure(error)) }
}

/// CSV on standard output. End with [`Csv::finish`].
#[derive(Debug)]
pub struct Csv(Writer<Stdout>);

/// Opens standard output for CSV.
pub fn csv() -> Outcome<Csv> {
    Ok(Csv(Writer::new(stdout()?)))
}

impl Csv {
    /// Writes a row of at least one cell.
    pub fn write<C: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = C>) -> Outcome {
        self.0.write(cells).map_err(failure)
    }

    /// Writes a row that was read.
    pub fn write_row(&mut self, row: &Row<'_>) -> Outcome {
        self.0.write_row(row).map_err(failure)
    }

    /// Hands on everything that was written.
    pub fn finish(mut self) -> Outcome {
        self.0.flush().map_err(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::OwnedFd;

    use failure::{Failure, IoContext, Kind};
    use rows::Writer;

    use super::{Csv, Stdout};

    fn full() -> Stdout {
        Stdout::over(File::options().write(true).open("/dev/full").unwrap())
    }

    fn closed() -> Stdout {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        Stdout::over(File::from(OwnedFd::from(writer)))
    }

    fn check(of: impl Fn(Stdout) -> Failure) {
        let failure = of(full());
        assert_eq!(failure.kind(), Kind::Io);
        assert!(failure.to_string().starts_with("stdout: No space left"), "{failure}");
        assert!(of(closed()).is_closed_pipe());
    }

    #[test]
    fn a_full_disk_is_named_and_a_closed_pipe_is_told_apart() {
        check(|mut out| out.send(b"x").unwrap_err());
        check(|mut out| out.write(&[b'x'; 100_000]).unwrap_err());
        check(|mut out| {
            out.write(b"x").unwrap();
            out.finish().unwrap_err()
        });
        check(|out| {
            let mut csv = Csv(Writer::new(out));
            csv.write(["a", "b"]).unwrap();
            csv.finish().unwrap_err()
        });
    }

    #[test]
    fn errors_name_stdout_also_through_the_trait() {
        check(|mut out| writeln!(out, "x").and_then(|()| out.flush()).place("somewhere else").unwrap_err());
        check(|mut out| io::copy(&mut [b'x'; 100_000].as_slice(), &mut out).place("elsewhere").unwrap_err());
    }
}
