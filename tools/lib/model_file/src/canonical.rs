use memchr::{memchr2, memchr3};
use serde_json::{Map, Value};

/// Keys sorted, no spaces, numbers in the shortest form that reads back.
///
/// Written out here, not left to the map type: whether serde_json sorts depends on features that any crate of a build
/// can switch on.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    push(value, &mut out);
    out
}

/// Hex sha256 of a model's body as canonical JSON: keys sorted, no spaces, numbers in the shortest form that reads back.
pub fn sha256(value: &Value) -> String {
    fingerprint::of(text(value))
}

/// JSON without the spaces and line ends between its parts.
pub(crate) fn without_spaces(json: &str) -> Vec<u8> {
    let mut rest = json.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = memchr3(b' ', b'\n', b'"', rest) {
        out.extend_from_slice(&rest[..at]);
        let text = match rest[at] {
            b'"' => 1 + text_length(&rest[at + 1..]),
            _ => 0,
        };
        out.extend_from_slice(&rest[at..at + text]);
        rest = &rest[at + text.max(1)..];
    }
    out.extend_from_slice(rest);
    out
}

/// Of a text behind its first quote, the last one included.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\\', &rest[at..]) {
        at += found + 1;
        if rest[at - 1] == b'"' {
            return at;
        }
        // What is escaped ends nothing.
        at = (at + 1).min(rest.len());
    }
    rest.len()
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries
}

fn push(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in sorted(map).into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                push(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// For people: keys sorted, a line for each field and item, but lists of plain values on one line. `depth` is how far in it stands.
pub(crate) fn indented(value: &Value, depth: usize) -> String {
    let mut out = String::new();
    push_indented(value, depth, &mut out);
    out
}

fn push_indented(value: &Value, depth: usize, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                push_indented(item, depth + 1, out);
            }
            line(depth, out);
            out.push(']');
        }
        Value::Object(map) if !map.is_empty() => {
            out.push('{');
            for (i, (key, item)) in sorted(map).into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                out.push_str(&Value::String(key.clone()).to_string());
                out.push_str(": ");
                push_indented(item, depth + 1, out);
            }
            line(depth, out);
            out.push('}');
        }
        plain => push(plain, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_but_for_those_of_texts() {
        for (json, wanted) in [
            ("{ \"a b\" : [1, 2 ],\n \"c\\\" \\\\\": \" \" }", "{\"a b\":[1,2],\"c\\\" \\\\\":\" \"}"),
            ("\"cut \\", "\"cut \\"),
            ("\"cut ", "\"cut "),
            (" ", ""),
        ] {
            assert_eq!(String::from_utf8(without_spaces(json)).unwrap(), wanted);
        }
        let value: Value = serde_json::from_str("{\"b\":[1.5,{}],\"a\":\"x y\"}").unwrap();
        assert_eq!(without_spaces(&indented(&value, 1)), text(&value).into_bytes());
    }
}
