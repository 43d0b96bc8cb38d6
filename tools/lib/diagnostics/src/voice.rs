use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

static PROGRAM: OnceLock<String> = OnceLock::new();
static VOICE: OnceLock<fn(&str)> = OnceLock::new();

/// The name of the running program, for messages.
pub fn program() -> &'static str {
    PROGRAM.get().map_or("fairway", String::as_str)
}

/// Names the running program. A second call in one process (a test) keeps the first name.
pub fn name_program(name: &str) {
    let _ = PROGRAM.set(name.to_owned());
}

/// From now on, words go there instead of to stderr: a process with a log of its own calls this first.
pub fn speak_through(voice: fn(&str)) {
    // A second call in one process (a test) keeps the first voice.
    let _ = VOICE.set(voice);
}

/// What words may quote is foreign: a line end would be another line of the log, an escape would move the terminal's cursor or turn the
/// direction of its letters.
fn shown(words: &str) -> String {
    let mut line = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
                line.extend(c.escape_unicode())
            }
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// Lines for a terminal, whatever foreign words they quote: nothing in them moves its cursor.
pub fn printable(lines: &str) -> String {
    lines.split('\n').map(shown).collect::<Vec<String>>().join("\n")
}

/// Says one line on stderr (see [`crate::say!`]). A stderr that cannot be written is nobody's business.
pub fn say_line(words: fmt::Arguments<'_>) {
    let words = shown(&words.to_string());
    if let Some(voice) = VOICE.get() {
        return voice(&words);
    }
    // In one write: the stages of a pipeline share their terminal, and lines must not mix.
    let line = format!("{}: {words}\n", program());
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{printable, shown};

    #[test]
    fn foreign_words_stay_one_line_and_move_no_cursor() {
        assert_eq!(printable("a\nb\u{1b}[2J\r\n"), "a\nb\\u{1b}[2J\\r\n");
        assert_eq!(
            shown("a\ndb-load: all is well\u{1b}[2J\u{202e}"),
            "a\\ndb-load: all is well\\u{1b}[2J\\u{202e}"
        );
        assert_eq!(shown("J\u{f6}rg, 7 \u{b0}C"), "J\u{f6}rg, 7 \u{b0}C");
    }
}
