//! A merged table as TOML: keys sorted, one value a line, numbers in their shortest form.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Names the file of the value that starts at a byte.
type Origin<'a> = dyn Fn(usize) -> &'a str + 'a;

/// The same text for the same values, whatever files they are from and however those are laid out.
pub(crate) fn canonical(table: &DeTable<'_>) -> String {
    let mut out = Text { text: String::new(), origin: None };
    out.table(&mut Vec::new(), table);
    out.text
}

/// The same, and behind each value a comment that says from which file it is.
pub(crate) fn with_origins<'a>(table: &DeTable<'_>, origin: &'a Origin<'a>) -> String {
    let mut out = Text { text: String::new(), origin: Some(origin) };
    out.table(&mut Vec::new(), table);
    out.text
}

struct Text<'a> {
    text: String,
    origin: Option<&'a Origin<'a>>,
}

impl Text<'_> {
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        self.values(table);
        for (name, value) in sorted(table) {
            path.push(key(name));
            match value.get_ref() {
                DeValue::Table(inner) => {
                    if inner.is_empty() || inner.values().any(is_line) {
                        self.header(&format!("[{}]", path.join(".")), inner, value.span().start);
                    }
                    self.table(path, inner);
                }
                DeValue::Array(elements) if !is_line(value) => {
                    for element in elements.iter() {
                        if let DeValue::Table(inner) = element.get_ref() {
                            self.header(&format!("[[{}]]", path.join(".")), inner, element.span().start);
                            for (name, value) in sorted(inner) {
                                self.line(name, value);
                            }
                        }
                    }
                }
                _ => {}
            }
            path.pop();
        }
    }

    /// The values that stand in a line each.
    fn values(&mut self, table: &DeTable<'_>) {
        for (name, value) in sorted(table).into_iter().filter(|(_, value)| is_line(value)) {
            self.line(name, value);
        }
    }

    fn line(&mut self, name: &str, value: &Spanned<DeValue<'_>>) {
        self.text.push_str(&format!("{} = {}", key(name), inline(value.get_ref())));
        self.end(value.span().start);
    }

    fn header(&mut self, header: &str, table: &DeTable<'_>, start: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(header);
        match table.is_empty() {
            // Nothing inside it says from where it is.
            true => self.end(start),
            false => self.text.push('\n'),
        }
    }

    fn end(&mut self, start: usize) {
        if let Some(origin) = self.origin {
            let file: String = origin(start).chars().filter(|char| !char.is_control()).collect();
            self.text.push_str(&format!(" # from {file}"));
        }
        self.text.push('\n');
    }
}

/// Whether a value stands in one line; tables and lists of tables have headers.
fn is_line(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::Table(_) => false,
        DeValue::Array(array) => {
            array.is_empty() || !array.iter().all(|element| element.get_ref().is_table())
        }
        _ => true,
    }
}

/// By name: another crate may have TOML's tables keep the order of the file.
fn sorted<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a str, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().map(|(name, value)| (name.get_ref().as_ref(), value)).collect();
    entries.sort_by_key(|(name, _)| *name);
    entries
}

fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { string(name) }
}

/// What JSON escapes, and how, is right in TOML, too; one more character has to be.
fn string(text: &str) -> String {
    // A text always serialises.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007f")
}

fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => string(text),
        // What does not fit is refused, or not, by whoever reads it.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string(), |number| number.to_string()),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => format!("{number:?}"),
            _ => number.as_str().to_owned(),
        },
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(array) => {
            let elements: Vec<String> = array.iter().map(|element| inline(element.get_ref())).collect();
            format!("[{}]", elements.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> = sorted(table)
                .into_iter()
                .map(|(name, value)| format!("{} = {}", key(name), inline(value.get_ref())))
                .collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
    }
}
