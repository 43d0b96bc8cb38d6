#![doc = include_str!("../README.md")]

mod count;
mod exit;
mod voice;

pub use count::{count, plural};
pub use exit::{Exit, HELP as EXIT_CODES};
pub use voice::{name_program, printable, program, say_line, speak_through};

/// Says one line on stderr, opened by the program's name: `say!("{n} rows")` prints `clean: 12 rows`.
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => { $crate::say_line(format_args!($($arg)*)) };
}
