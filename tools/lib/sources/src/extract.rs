use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::season::Season;
use crate::size::Size;
use crate::template::Template;

/// What rows an answer holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// What an answer is.
    pub kind: Kind,
    /// In which times without an offset are read, and of whose days dates are.
    pub zone: Option<String>,
    /// When days of a season lie.
    pub season: Option<Season>,
    /// A label of the WHATWG.
    pub encoding: Option<String>,
    /// What separates the cells of a CSV.
    pub delimiter: Option<char>,
    /// Headings of a CSV that somebody has seen before, as a regular expression; any other is named.
    pub known: Option<String>,
    /// Whether the last line of a CSV may lack its end.
    #[serde(default)]
    pub allow_unterminated: bool,
    /// Whether tables inside of comments of HTML count.
    #[serde(default)]
    pub comments: bool,
    /// How much is enough.
    #[serde(default)]
    pub limits: ExtractLimits,
    /// The rows of each table.
    pub tables: BTreeMap<String, OneOrMore<TableRows>>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON.
    Json,
    /// CSV with a header.
    Csv,
    /// HTML.
    Html,
    /// RSS, Atom or JSON Feed.
    Feed,
}

/// How much is enough.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtractLimits {
    /// The seconds of one answer.
    pub seconds: u64,
    /// The memory of the program while it works at the source.
    pub memory: Size,
    /// How deep elements of HTML nest.
    pub depth: usize,
}

impl Default for ExtractLimits {
    fn default() -> ExtractLimits {
        ExtractLimits { seconds: 60, memory: Size(1 << 30), depth: 512 }
    }
}

impl ExtractLimits {
    /// The time of one answer.
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// One thing, or a list.
#[derive(Clone, Debug)]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// A list.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(more) => more,
        }
    }

    fn map(self, change: impl Fn(&str) -> T) -> OneOrMore<T>
    where
        T: AsRef<str>,
    {
        match self {
            OneOrMore::One(one) => OneOrMore::One(change(one.as_ref())),
            OneOrMore::More(more) => OneOrMore::More(more.iter().map(|one| change(one.as_ref())).collect()),
        }
    }
}

/// By hand, because an untagged enum forgets what was wrong inside.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMore<T>, D::Error> {
        struct OneOrMoreVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMoreVisitor<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one, or a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMore<T>, E> {
                T::deserialize(StrDeserializer::new(text)).map(OneOrMore::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMore<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMore::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMore<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMore::More)
            }
        }

        deserializer.deserialize_any(OneOrMoreVisitor(PhantomData))
    }
}

/// The rows of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRows {
    /// A jq program that makes objects, or a selector of elements.
    pub rows: Option<String>,
    /// How many rows an answer has at least.
    #[serde(default = "one")]
    pub least: u64,
    /// Rows whose member is another are left out.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, Vec<String>>,
    /// Rows in which one of these columns is null are left out.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The same again for each of these: its values stand for their names in braces, in `from`, `value` and `rows`.
    #[serde(default)]
    pub each: Vec<BTreeMap<String, String>>,
    /// What is in a column of the table.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnRule>,
}

impl TableRows {
    /// The rows that this stands for: itself, or one a table of `each`.
    pub fn spelled_out(&self) -> Result<Vec<TableRows>, String> {
        if self.each.is_empty() {
            return Ok(vec![self.clone()]);
        }
        self.each.iter().map(|values| self.with(values)).collect()
    }

    fn with(&self, values: &BTreeMap<String, String>) -> Result<TableRows, String> {
        let filled = |text: &str| {
            values
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        let mut with = TableRows { each: Vec::new(), ..self.clone() };
        with.rows = with.rows.as_deref().map(filled);
        for column in with.columns.values_mut() {
            column.from = column.from.take().map(|from| from.map(&filled));
            if let Some(value) = &column.value {
                column.value = Some(Template::new(&filled(value.text()))?);
            }
        }
        Ok(with)
    }
}

fn one() -> u64 {
    1
}

/// What is in a column.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// The member, or the first of these that is there.
    pub from: Option<OneOrMore<String>>,
    /// Look below this ancestor of the row.
    pub closest: Option<String>,
    /// The attribute instead of the text.
    pub attribute: Option<String>,
    /// The cell below this heading.
    pub header: Option<OneOrMore<String>>,
    /// A text for every row.
    pub value: Option<Template>,
    /// What stands before a value that is not null.
    pub prefix: Option<String>,
    /// Whether the member may be missing.
    #[serde(default)]
    pub optional: bool,
    /// Texts that mean null.
    #[serde(default)]
    pub nulls: Vec<String>,
    /// The value is the first group of this.
    pub pattern: Option<String>,
    /// Values for texts.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// The value for all others.
    pub otherwise: Option<String>,
    /// Texts are names of this list.
    pub names: Option<String>,
    /// Formats of a date.
    #[serde(default)]
    pub date: Vec<String>,
    /// The member with the time of that date.
    pub time: Option<String>,
    /// The column with the season in which the day must lie.
    pub within: Option<String>,
    /// What a day is that does not.
    pub outside: Option<Unless>,
    /// The day of this column's instant; where that is null, `from` has the day, or an
    /// instant of it.
    pub day_of: Option<String>,
}

/// What is taken instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unless {
    /// Nothing.
    Null,
}

/// A list of names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// CSVs, relative to the file of sources.
    pub files: Vec<String>,
    /// The column of the table in whose values spellings hold.
    pub scope: Option<String>,
}
