use serde_json::Value;

/// Keys sorted, no spaces, numbers in the shortest form that reads back.
///
/// Written out here, not left to the map type: whether serde_json sorts depends on features that any crate of a build
/// can switch on.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    push(value, &mut out);
    out
}

/// Hex sha256 of the canonical text.
pub(crate) fn sha256(value: &Value) -> String {
    fingerprint::of(text(value))
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
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
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
