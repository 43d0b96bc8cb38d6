use std::collections::BTreeMap;
use std::path::Path;

use clock::DateFormat;
use encoding_rs::Encoding;
use failure::{Failure, Outcome};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use regex::Regex;
use schema::{Schema, Table, Type};
use sources::{ColumnRule, Extract, Kind, Season, Source, Sources, TableRows, Template};

use crate::names::NameList;

/// Raised whenever the same rules make other rows of the same answer.
const EXTRACT_VERSION: u32 = 1;

/// How the answers of a source become rows.
pub(crate) struct Plan {
    pub(crate) source: String,
    pub(crate) extract: Extract,
    pub(crate) season: Option<Season>,
    /// Of the bundled database, which is the same on every machine.
    pub(crate) zone: TimeZone,
    pub(crate) tables: Vec<TablePlan>,
    pub(crate) lists: BTreeMap<String, NameList>,
    /// What files that somebody gives are called.
    pub(crate) file: Option<Regex>,
    /// Headings that are known.
    pub(crate) known: Option<Regex>,
    /// Files beside them that are left out, and why.
    pub(crate) ignore: BTreeMap<String, String>,
    /// The digest of everything that rows depend on, beside the answer.
    pub(crate) digest: String,
}

/// The rows of one table.
pub(crate) struct TablePlan {
    pub(crate) table: Table,
    /// The first plan of the source with the same table: rows of all of them are one partition's.
    pub(crate) first: usize,
    /// The jq program or the selector.
    pub(crate) rows: Option<String>,
    pub(crate) least: u64,
    /// The members that are read, in the order of `Source::Member`.
    pub(crate) members: Vec<Member>,
    /// Rows are kept whose member has one of these texts.
    pub(crate) only: Vec<(usize, Vec<String>)>,
    /// Columns without which a row is left out.
    pub(crate) needs: Vec<usize>,
    /// The columns of the table that rows have, each after those that it looks at.
    pub(crate) columns: Vec<ColumnPlan>,
    /// The names of the columns of the wire: those of the table that nobody fills in later.
    pub(crate) written: Vec<usize>,
}

/// Where a member is found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    /// The first of these that is there.
    pub(crate) names: Vec<String>,
    pub(crate) optional: bool,
    pub(crate) closest: Option<String>,
    pub(crate) attribute: Option<String>,
    /// The names are headings of the page's table.
    pub(crate) is_heading: bool,
}

/// One column.
pub(crate) struct ColumnPlan {
    pub(crate) at: usize,
    pub(crate) kind: Type,
    pub(crate) from: From,
    pub(crate) nulls: Vec<String>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) map: BTreeMap<String, String>,
    pub(crate) otherwise: Option<String>,
    pub(crate) prefix: Option<String>,
    /// The list, and the columns of source and scope.
    pub(crate) names: Option<(String, Option<usize>, Option<usize>)>,
    pub(crate) date: Vec<Format>,
    /// The member with the time.
    pub(crate) time: Option<usize>,
    /// The column with the season.
    pub(crate) within: Option<usize>,
    pub(crate) outside_is_null: bool,
    /// Whether a member goes into the column as it is, but for its type.
    pub(crate) is_plain: bool,
    /// Whether the value of a name or a day follows from its text, as it was read, and from other columns of the row.
    pub(crate) is_direct: bool,
}

/// Where a column's value comes from.
pub(crate) enum From {
    Member(usize),
    Value(Template),
    /// The day of this column's instant, or of this member where that is null.
    DayOf(usize, Option<usize>),
}

/// How a date is written.
pub(crate) struct Format {
    pub(crate) format: DateFormat,
    /// Whether its year has two digits.
    pub(crate) is_short: bool,
    /// Whether ISO 8601 writes it otherwise.
    pub(crate) is_foreign: bool,
}

impl Plan {
    /// The rules of a source, held against the tables.
    pub(crate) fn new(
        name: &str,
        source: &Source,
        sources: &Sources,
        schema: &Schema,
        folder: &Path,
    ) -> Outcome<Plan> {
        let at = |reason: String| Failure::config(format!("source {name}: {reason}"));
        let extract = source.extract.clone().ok_or_else(|| at("it has no rows (extract)".to_owned()))?;
        let mut tables = Vec::new();
        let mut seen = format!("{EXTRACT_VERSION}\n{}\n", source.extract_text).into_bytes();
        for (table, rows) in &extract.tables {
            let table = schema.table(table).map_err(|failure| at(failure.to_string()))?;
            for column in &table.columns {
                seen.extend_from_slice(
                    format!("{} {} {}\n", table.name, column.name, column.kind).as_bytes(),
                );
            }
            for rows in rows.all() {
                for rows in rows.spelled_out().map_err(at)? {
                    let plan = TablePlan::new(table, &rows, extract.kind, sources)
                        .map_err(|reason| at(format!("table {}: {reason}", table.name)))?;
                    tables.push(plan);
                }
            }
        }
        for at in 0..tables.len() {
            let first = tables.iter().position(|other: &TablePlan| {
                other.table.name == tables[at].table.name && other.written == tables[at].written
            });
            tables[at].first = first.unwrap_or(at);
        }
        if let Some(label) =
            extract.encoding.as_deref().filter(|label| Encoding::for_label(label.as_bytes()).is_none())
        {
            return Err(at(format!(
                "encoding: {label:?} is not the label of an encoding, like windows-1252"
            )));
        }
        let mut lists = BTreeMap::new();
        for list in tables.iter().flat_map(|table| &table.columns).filter_map(|column| column.names.as_ref())
        {
            if let Some(names) = sources.names.get(&list.0).filter(|_| !lists.contains_key(&list.0)) {
                seen.extend_from_slice(format!("{} {:?}\n", list.0, names.scope).as_bytes());
                lists.insert(list.0.clone(), NameList::read(names, folder, &mut seen)?);
            }
        }
        let zone = extract.zone.as_deref().and_then(|zone| TimeZoneDatabase::bundled().get(zone).ok());
        let file =
            source.file.as_deref().map(Regex::new).transpose().map_err(|error| at(error.to_string()))?;
        let known = extract.known.as_deref().map(|known| Regex::new(&format!("^(?:{known})$"))).transpose();
        let known = known.map_err(|error| at(error.to_string()))?;
        Ok(Plan {
            source: name.to_owned(),
            season: extract.season.clone(),
            extract,
            zone: zone.unwrap_or(TimeZone::UTC),
            tables,
            lists,
            file,
            known,
            ignore: source.ignore.clone(),
            digest: fingerprint::of(seen),
        })
    }
}

impl TablePlan {
    fn new(table: &Table, rows: &TableRows, kind: Kind, sources: &Sources) -> Result<TablePlan, String> {
        if let Some(unknown) = rows.columns.keys().find(|column| table.position(column).is_none()) {
            let near = suggestion::nearest(unknown, table.columns.iter().map(|column| column.name.as_str()));
            let meant = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(format!("it has no column {unknown:?}{meant}"));
        }
        let filled_in = [table.fetched_at(), table.raw(), table.known_at()];
        let mut members: Vec<Member> = Vec::new();
        let mut columns = Vec::new();
        let mut written = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let rule = rows.columns.get(&column.name);
            if filled_in.contains(&Some(at)) && rule.is_none() {
                continue;
            }
            written.push(at);
            let default = ColumnRule { optional: true, ..ColumnRule::default() };
            // A page has no members of its own.
            if rule.is_none() && kind == Kind::Html {
                continue;
            }
            let plan =
                ColumnPlan::new(table, at, rule.unwrap_or(&default), rule.is_none(), sources, &mut members)
                    .map_err(|reason| format!("column {:?}: {reason}", column.name))?;
            columns.push(plan);
        }
        let mut only = Vec::new();
        for (name, texts) in &rows.only {
            only.push((member(&mut members, &Member::named(name, kind == Kind::Json)), texts.clone()));
        }
        let position = |name: &String| {
            table.position(name).ok_or_else(|| format!("needs: the table has no column {name:?}"))
        };
        Ok(TablePlan {
            table: table.clone(),
            first: 0,
            rows: rows.rows.clone(),
            least: rows.least,
            members,
            only,
            needs: rows.needs.iter().map(position).collect::<Result<_, _>>()?,
            columns: in_order(columns)?,
            written,
        })
    }
}

impl Member {
    fn named(name: &str, optional: bool) -> Member {
        Member { names: vec![name.to_owned()], optional, closest: None, attribute: None, is_heading: false }
    }
}

/// The place of a member among those that are read.
fn member(members: &mut Vec<Member>, wanted: &Member) -> usize {
    members.iter().position(|member| member == wanted).unwrap_or_else(|| {
        members.push(wanted.clone());
        members.len() - 1
    })
}

impl ColumnPlan {
    fn new(
        table: &Table,
        at: usize,
        rule: &ColumnRule,
        optional: bool,
        sources: &Sources,
        members: &mut Vec<Member>,
    ) -> Result<ColumnPlan, String> {
        let position =
            |name: &str| table.position(name).ok_or_else(|| format!("the table has no column {name:?}"));
        let column = &table.columns[at];
        let optional = optional || rule.optional;
        let from = match (&rule.value, &rule.day_of) {
            (Some(value), _) => From::Value(value.clone()),
            (None, Some(of)) => {
                let or = rule
                    .from
                    .as_ref()
                    .map(|from| Member { names: from.all().to_vec(), ..Member::named("", optional) });
                From::DayOf(position(of)?, or.map(|or| member(members, &or)))
            }
            (None, None) => {
                let is_heading = rule.header.is_some();
                let names = rule.header.as_ref().or(rule.from.as_ref()).map(|from| from.all().to_vec());
                let is_element = rule.closest.is_some() || rule.attribute.is_some();
                // Of a page, the element itself unless something below it is named.
                let names =
                    names.unwrap_or_else(|| if is_element { Vec::new() } else { vec![column.name.clone()] });
                let wanted = Member {
                    names,
                    optional,
                    closest: rule.closest.clone(),
                    attribute: rule.attribute.clone(),
                    is_heading,
                };
                From::Member(member(members, &wanted))
            }
        };
        let time = rule.time.as_deref().map(|name| member(members, &Member::named(name, optional)));
        let names = match &rule.names {
            None => None,
            Some(list) => {
                let scope = sources.names.get(list).and_then(|names| names.scope.as_deref());
                let scope = scope.map(position).transpose()?;
                Some((list.clone(), table.position("source").filter(|place| *place != at), scope))
            }
        };
        let formats = rule.date.iter().map(|text| {
            let format = DateFormat::new(text)?;
            Ok(Format { format, is_short: text.contains("%y"), is_foreign: text != "%Y-%m-%d" })
        });
        let needs = match column.kind {
            Type::Instant => rule.date.is_empty() || rule.time.is_some(),
            Type::Date => rule.time.is_none(),
            _ => rule.date.is_empty(),
        };
        if !needs {
            return Err("a date without a time is for a column of type date, one with a time for an instant"
                .to_owned());
        }
        let is_plain = rule.nulls.is_empty()
            && rule.pattern.is_none()
            && rule.map.is_empty()
            && rule.prefix.is_none()
            && rule.date.is_empty()
            && rule.within.is_none()
            && names.is_none();
        let is_direct = rule.nulls.is_empty()
            && rule.pattern.is_none()
            && rule.map.is_empty()
            && rule.time.is_none()
            && !is_plain;
        Ok(ColumnPlan {
            at,
            kind: column.kind,
            is_plain,
            is_direct,
            from,
            nulls: rule.nulls.clone(),
            pattern: rule
                .pattern
                .as_deref()
                .map(Regex::new)
                .transpose()
                .map_err(|error| error.to_string())?,
            map: rule.map.clone(),
            otherwise: rule.otherwise.clone(),
            prefix: rule.prefix.clone(),
            names,
            date: formats.collect::<Result<_, String>>()?,
            time,
            within: rule.within.as_deref().map(position).transpose()?,
            outside_is_null: rule.outside.is_some(),
        })
    }

    /// The columns that it looks at.
    fn looks_at(&self) -> impl Iterator<Item = usize> {
        let (source, scope) =
            self.names.as_ref().map_or((None, None), |(_, source, scope)| (*source, *scope));
        let day_of = if let From::DayOf(of, _) = self.from { Some(of) } else { None };
        [source, scope, day_of, self.within].into_iter().flatten()
    }
}

/// Each column after those that it looks at.
fn in_order(mut columns: Vec<ColumnPlan>) -> Result<Vec<ColumnPlan>, String> {
    let mut ordered: Vec<ColumnPlan> = Vec::with_capacity(columns.len());
    while !columns.is_empty() {
        let waiting: Vec<usize> = columns.iter().map(|column| column.at).collect();
        let ready =
            |column: &ColumnPlan| !column.looks_at().any(|at| at != column.at && waiting.contains(&at));
        let (now, later): (Vec<_>, Vec<_>) = columns.into_iter().partition(ready);
        if now.is_empty() {
            return Err("columns look at one another in a circle".to_owned());
        }
        ordered.extend(now);
        columns = later;
    }
    Ok(ordered)
}
