//! Large bodies, read and answered by all cores.

use rayon::prelude::*;

/// A smaller piece of JSON is read faster than it is handed over; fuzzers send small ones.
const PIECE_BYTES: usize = if cfg!(fuzzing) { 16 } else { 32 << 10 };
/// A smaller body is read by one thread: it may be one that answers other requests, too, and must not wait for the
/// cores.
pub(crate) const LARGE_BYTES: usize = 2 * PIECE_BYTES;

/// Does `work` on shares of so many rows, each of at least `least`, and joins what it wrote.
pub(crate) fn joined<E: Send>(
    rows: usize,
    least: usize,
    [begin, comma, end]: [&str; 3],
    work: impl Fn(std::ops::Range<usize>, &mut Vec<u8>) -> Result<(), E> + Sync,
) -> Result<Vec<u8>, E> {
    let mut out = begin.as_bytes().to_vec();
    if rows < 2 * least {
        work(0..rows, &mut out)?;
        out.extend_from_slice(end.as_bytes());
        return Ok(out);
    }
    let share = rows.div_ceil(rayon::current_num_threads()).max(least);
    let shares = (0..rows.div_ceil(share)).into_par_iter();
    let texts = shares.map(|at| {
        let mut text = Vec::new();
        work(at * share..rows.min((at + 1) * share), &mut text).map(|()| text)
    });
    for (at, text) in texts.collect::<Result<Vec<_>, E>>()?.into_iter().enumerate() {
        out.extend_from_slice(if at > 0 { comma.as_bytes() } else { b"" });
        out.extend_from_slice(&text);
    }
    out.extend_from_slice(end.as_bytes());
    Ok(out)
}

/// Reads an array in as many pieces as there are threads, if it is large; none if a piece cannot be read.
///
/// Where rows seem to end is found without reading what stands before: a brace, a comma, a brace. If these stand
/// elsewhere, in a text or deeper down, the piece before them ends with something open, and is no JSON. So if all
/// pieces are arrays, the whole is the array of all their elements.
pub(crate) fn read<T: Send>(text: &str, read: impl Fn(&str) -> Option<T> + Sync) -> Option<Vec<T>> {
    if text.len() < LARGE_BYTES {
        return None;
    }
    let inner = text.trim_matches([' ', '\t', '\n', '\r']).strip_prefix('[')?.strip_suffix(']')?;
    let most = (inner.len() / PIECE_BYTES).max(1);
    let pieces = cut(inner, most.min(rayon::current_num_threads()));
    pieces.into_par_iter().map(|piece| read(&format!("[{piece}]"))).collect()
}

/// About so many pieces of about the same length.
fn cut(inner: &str, count: usize) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(count);
    let (mut rest, mut left) = (inner, count);
    while left > 1 {
        let from = rest.len() / left;
        let Some((end, begin)) = boundary(rest.as_bytes(), from) else { break };
        pieces.push(&rest[..end]);
        rest = &rest[begin..];
        left -= 1;
    }
    pieces.push(rest);
    pieces
}

/// The first place from there on where a row seems to end, and where the next then begins.
fn boundary(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let spaces = |at: usize| at + bytes[at..].iter().take_while(is_space).count();
    let ends = memchr::memchr_iter(b'}', bytes.get(from..)?).map(|at| from + at + 1);
    ends.into_iter().find_map(|end| {
        let comma = spaces(end);
        let begin = spaces((comma + 1).min(bytes.len()));
        (bytes.get(comma) == Some(&b',') && bytes.get(begin) == Some(&b'{')).then_some((end, begin))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{LARGE_BYTES, cut, read};

    fn array(text: &str) -> Option<Vec<Value>> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn only_what_json_calls_space_may_stand_around_an_array() {
        let array = format!("[{}{{}}]", "{\"a\":1},".repeat(LARGE_BYTES / 8));
        let is_read = |text: &str| read(text, self::array).is_some();
        assert!(is_read(&array) && is_read(&format!(" \t\r\n{array}\n")));
        for other in ["\x0c", "\u{a0}", "\u{feff}"] {
            assert!(!is_read(&format!("{other}{array}")) && !is_read(&format!("{array}{other}")));
        }
        assert!(!is_read(&array[..LARGE_BYTES / 2]) && !is_read(&format!("{array},")));
    }

    #[test]
    fn pieces_are_the_whole_or_cannot_be_read() {
        let mut whole = 0;
        for inner in [
            r#"{"a":1},{"a":2},{"a":3},{"a":4}"#,
            "{\"a\":1} ,\n\t{\"a\":2}\r, {\"a\":3},{}",
            r#"{"a":"},{"},{"b":"\"},{"},{"c":"x"}"#,
            r#"{"a":[{},{},{}]},{"a":[{},{}]}"#,
            r#"{"a":1},{"a":2}],[{"a":3},{"a":4}"#,
            r#"{"a":1},{"a":2},{"a":3},"#,
            r#"{"a":1},,{"a":2},{"a":3}"#,
            r#"{"a":1};{"a":2};{"a":3};{"a":4}"#,
            r#"{"a":1} {"a":2} {"a":3} {"a":4}"#,
            r#"7,{"a":1},{"a":2},null,{"a":3},[{"a":1},{"a":2}]"#,
            "{},{},{},{},{},{}",
            "",
            "}",
            "{},",
        ] {
            let wanted = array(&format!("[{inner}]"));
            for count in 1..9 {
                let pieces = cut(inner, count);
                assert!((1..=count).contains(&pieces.len()), "{inner}");
                let read: Option<Vec<Vec<Value>>> =
                    pieces.iter().map(|piece| array(&format!("[{piece}]"))).collect();
                let Some(read) = read else { continue };
                whole += usize::from(pieces.len() > 1);
                assert_eq!(Some(read.concat()), wanted, "{inner} in {count}");
            }
        }
        assert!(whole > 10, "{whole}");
    }
}
