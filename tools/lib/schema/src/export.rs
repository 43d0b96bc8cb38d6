use failure::{Failure, Outcome};

use crate::partition::encoded;
use crate::{PartitionKey, Type};

/// What is written to the bucket: an object for each partition.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Where its rows come from.
    pub source: Source,
    /// The tables whose revisions make it old.
    pub over: Vec<String>,
    /// The names and types of the parts that name an object's partition.
    pub partition: Vec<(String, Type)>,
    /// The object's key, with the parts' names in braces.
    pub object: String,
    /// The recipe that cleans its rows, relative to the schema's file; without one they are exported as they are.
    pub clean: Option<String>,
}

/// Where an export's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// All columns of a table, in key order.
    Table(String),
    /// The SELECT in a file, relative to the schema's file.
    Sql(String),
}

/// A view that migrations make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// The file with its SELECT, relative to the schema's file.
    pub sql: String,
}

impl Export {
    /// The key of a partition's object. A value's bytes other than letters, digits, `.`, `_` and `-` are percent-encoded,
    /// so that no value can leave its folder.
    pub fn object_key(&self, partition: &PartitionKey) -> String {
        let mut key = self.object.clone();
        for ((name, _), value) in self.partition.iter().zip(&partition.0) {
            let text = value.to_text();
            // A value of dots alone would be a step up.
            let dots = text.bytes().any(|byte| byte != b'.');
            let plain = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || dots && byte == b'.'
            };
            key = key.replace(&format!("{{{name}}}"), &encoded(&text, plain));
        }
        key
    }

    /// The prefix that all objects of the export share: the template up to its first brace, or to the last `/` before it.
    pub fn prefix(&self) -> &str {
        let fixed = self.object.split('{').next().unwrap_or_default();
        fixed.rfind('/').map_or("", |slash| &fixed[..=slash])
    }

    /// The SELECT of a file with `?` for its parameters, and which part stands at each of them. Every part must stand in it,
    /// as `:name`, outside of texts, quoted names and comments.
    pub fn bind(&self, sql: &str) -> Outcome<(String, Vec<usize>)> {
        let mut bound = String::with_capacity(sql.len());
        let mut places = Vec::new();
        let mut rest = sql;
        while let Some(first) = rest.chars().next() {
            let skipped = match first {
                '\'' | '"' | '`' => quoted(rest, first),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
                ':' => {
                    let name: String =
                        rest[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                    if name.is_empty() {
                        1
                    } else {
                        let place = self.partition.iter().position(|(part, _)| *part == name);
                        places.push(place.ok_or_else(|| {
                            Failure::config(format!(
                                "[exports.{}]: its SQL has :{name}, which is not among its partition ({})",
                                self.name,
                                self.part_names()
                            ))
                        })?);
                        bound.push('?');
                        rest = &rest[1 + name.len()..];
                        continue;
                    }
                }
                other => other.len_utf8(),
            };
            bound.push_str(&rest[..skipped]);
            rest = &rest[skipped..];
        }
        match (0..self.partition.len()).find(|part| !places.contains(part)) {
            Some(missing) => Err(Failure::config(format!(
                "[exports.{}]: its SQL does not select by :{}, so every object would hold the same rows",
                self.name, self.partition[missing].0
            ))),
            None => Ok((bound, places)),
        }
    }

    fn part_names(&self) -> String {
        self.partition.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Bytes of a quoted text or name at the beginning of `sql`, its quotes included; a doubled quote is part of it.
fn quoted(sql: &str, quote: char) -> usize {
    let mut inside = sql[1..].char_indices().peekable();
    while let Some((at, c)) = inside.next() {
        if c == quote && inside.next_if(|(_, next)| *next == quote).is_none() {
            return 1 + at + 1;
        }
    }
    sql.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn export() -> Export {
        Export {
            name: "result".to_owned(),
            source: Source::Sql("r.sql".to_owned()),
            over: Vec::new(),
            partition: vec![
                ("competition".to_owned(), Type::Text(Some(16))),
                ("edition".to_owned(), Type::Text(Some(9))),
            ],
            object: "training_data/{competition}/{edition}.csv".to_owned(),
            clean: None,
        }
    }

    #[test]
    fn values_cannot_leave_their_folder() {
        let key = PartitionKey(vec![Value::from("../x y"), Value::from("2025-26")]);
        assert_eq!(export().object_key(&key), "training_data/..%2Fx%20y/2025-26.csv");
        assert_eq!(export().prefix(), "training_data/");
    }

    #[test]
    fn parameters_are_found_outside_of_texts() {
        let sql = "SELECT ':edition', \"a:b\" -- :edition\n/* :x */ FROM t WHERE s = :edition AND c = :competition AND t = ':''x'";
        let (bound, places) = export().bind(sql).unwrap();
        assert_eq!(
            bound,
            "SELECT ':edition', \"a:b\" -- :edition\n/* :x */ FROM t WHERE s = ? AND c = ? AND t = ':''x'"
        );
        assert_eq!(places, [1, 0]);
        assert!(
            export().bind("SELECT 1 WHERE a = :edition").unwrap_err().to_string().contains(":competition")
        );
        assert!(export().bind("SELECT :editions").unwrap_err().to_string().contains(":editions"));
    }
}
