use std::io::Write;

use manners::Failure;

/// A CSV writer with Unix line ends. End with `flush()`.
pub fn writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().flexible(true).from_writer(out)
}

/// What an error of a CSV writer means for the program: `place` is where it was writing to.
pub fn csv_failure(place: &str, error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::io(place, &error),
        other => Failure::data(format!("{place}: {other:?}")),
    }
}
