use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::str::FromStr;

use failure::{Failure, IoContext, Outcome};
use input_files::read_text;

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
            let file = input_files::open(path).place(&name)?;
            check_is_not_stdout(&name, file.as_fd())?;
            Ok(Input { name, reader: Box::new(file) })
        }
        _ if closed_streams::stdin() => {
            let closed = io::Error::other("it is closed (name a file, or /dev/null for no input)");
            Err(Failure::io("stdin", &closed))
        }
        _ => {
            check_is_not_stdout("stdin", io::stdin().as_fd())?;
            Ok(Input { name: "stdin".to_owned(), reader: Box::new(io::stdin()) })
        }
    }
}

/// `> x` empties x before the program begins; `>> x` would read what it writes.
fn check_is_not_stdout(name: &str, file: BorrowedFd<'_>) -> Outcome {
    match input_files::is_stdout(file) {
        false => Ok(()),
        true => Err(Failure::usage(format!(
            "{name}: it is also where the output goes, and the shell may have emptied it: write to another file, then rename it"
        ))),
    }
}

/// Reads a whole small file of a kind that is parsed from text, like a recipe; failures name it.
pub fn parse_file<T: FromStr<Err = Failure>>(path: &Path) -> Outcome<T> {
    read_text(path)?.parse().map_err(|failure: Failure| failure.at(path.display()))
}
