use failure::{Failure, Outcome};
use url::Url;

use crate::condition::Condition;
use crate::extract::{ColumnRule, Extract, Kind, TableRows};
use crate::fetch::{Method, Pages, Source};
use crate::template::{Template, is_name};
use crate::{Rule, Sources};

/// Whatever TOML cannot know of a file of sources.
pub(crate) fn check(sources: &Sources) -> Outcome {
    for (name, source) in &sources.sources {
        if !is_name(name) || name.len() > 64 {
            return Err(Failure::config(format!(
                "source {name:?}: a name has small letters, digits and underscores, 64 at most"
            )));
        }
        check_source(sources, source)
            .map_err(|reason| Failure::config(format!("source {name}: {reason}")))?;
    }
    for (group, members) in &sources.groups {
        if sources.sources.contains_key(group) {
            return Err(Failure::config(format!("group {group}: a source has that name")));
        }
        if let Some(unknown) = members.iter().find(|member| !sources.sources.contains_key(*member)) {
            return Err(Failure::config(format!("group {group}: no source is called {unknown:?}")));
        }
    }
    for (name, host) in &sources.hosts {
        if host.per_minute == 0 || host.per_day == Some(0) {
            return Err(Failure::config(format!("host {name}: a budget of 0 calls asks nobody")));
        }
    }
    Ok(())
}

fn check_source(sources: &Sources, source: &Source) -> Result<(), String> {
    let names = source.each.names();
    let knows = |template: &Template| match template.names().find(|name| !names.contains(name)) {
        Some(unknown) => Err(format!("{:?}: not every request has a parameter {unknown:?}", template.text())),
        None => Ok(()),
    };
    if let Some(unusual) = names.iter().find(|name| !is_name(name)) {
        return Err(format!("parameter {unusual:?}: a name has small letters, digits and underscores"));
    }
    if let Some(file) = &source.file {
        regex::Regex::new(file).map_err(|error| format!("file: {error}"))?;
    }
    match &source.url {
        None => {
            if source.extract.is_none() {
                return Err("it has neither an address (url) nor rows (extract)".to_owned());
            }
        }
        Some(url) => {
            knows(url)?;
            check_address(url)?;
        }
    }
    if source.body.is_some() && source.method != Method::Post {
        return Err("a body is sent by method = \"POST\" alone".to_owned());
    }
    if let Some(secret) = &source.secret {
        if secret.header.is_some() == secret.query.is_some() {
            return Err("secret: name either the header or the query parameter that takes it".to_owned());
        }
        if secret.query.is_some() && !secret.prefix.is_empty() {
            return Err("secret: a prefix stands in a header".to_owned());
        }
    }
    for (name, value) in &source.headers {
        check_header(name, value)?;
    }
    if let Some(secret) = &source.secret {
        secret.header.as_deref().map_or(Ok(()), |name| check_header_text(name, &secret.prefix))?;
    }
    source.pages.as_ref().map_or(Ok(()), check_pages)?;
    if let Some(poll) = &source.poll {
        if poll.url.names().any(|name| name != "id" && !names.contains(&name))
            || !poll.url.names().any(|name| name == "id")
        {
            return Err("poll: its address has {id}, and parameters that every request has".to_owned());
        }
        check_address(&poll.url)?;
        check_condition(&poll.until)?;
        check_pointer(&poll.id)?;
    }
    for condition in source.holds.iter().cloned().chain(source.rules.iter().map(Rule::condition)) {
        check_condition(&condition)?;
        condition.text.as_ref().map_or(Ok(()), knows)?;
        condition.equals.as_ref().map_or(Ok(()), knows)?;
    }
    for rule in &source.rules {
        if let Some(crate::Wait::Words { words }) = &rule.wait
            && words.matches("{}").count() != 1
        {
            return Err(format!("wait: {words:?} has not one {{}} where the number stands"));
        }
    }
    source.extract.as_ref().map_or(Ok(()), |extract| check_extract(sources, extract))
}

/// An address without its parameters: https, or http to this machine, and nothing that shows a secret.
fn check_address(template: &Template) -> Result<(), String> {
    let text = template.text();
    let wrong = |why: &str| Err(format!("{text:?}: {why}"));
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong("not an address like https://…");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains(['{', '@']) {
        return wrong("its host is fixed, and holds no user or password");
    }
    let Ok(url) = Url::parse(&text.replace(['{', '}'], "")) else {
        return wrong("not an address like https://…");
    };
    match scheme {
        "https" => Ok(()),
        "http" if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) => Ok(()),
        _ => wrong("only https:// travels unread, and http:// on this machine"),
    }
}

/// What a source may send beside its question.
fn check_header(name: &str, value: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if ["user-agent", "accept-encoding", "host", "connection", "content-length", "transfer-encoding"]
        .contains(&lower.as_str())
    {
        return Err(format!("headers: {name} is what this program sends itself"));
    }
    if ["authorization", "proxy-authorization", "cookie"].contains(&lower.as_str()) {
        return Err(format!("headers: {name} holds a secret: say where it comes from by secret = {{ … }}"));
    }
    check_header_text(name, value)
}

fn check_header_text(name: &str, value: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("{name:?} is not the name of a header"));
    }
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(format!("header {name}: its value is one line of ASCII"));
    }
    Ok(())
}

fn check_pages(pages: &Pages) -> Result<(), String> {
    let ways = [pages.number.is_some(), pages.cursor.is_some(), pages.next.is_some(), pages.link];
    let whole = pages.number.is_some() == pages.total.is_some()
        && pages.cursor.is_some() == pages.parameter.is_some();
    if ways.iter().filter(|way| **way).count() != 1 || !whole || pages.most == 0 {
        return Err(
            "pages: one of { number, total }, { cursor, parameter }, { next } and { link = true }".to_owned()
        );
    }
    [&pages.total, &pages.cursor, &pages.next]
        .into_iter()
        .flatten()
        .try_for_each(|pointer| check_pointer(pointer))
}

fn check_pointer(pointer: &str) -> Result<(), String> {
    if pointer.is_empty() || pointer.starts_with('/') {
        return Ok(());
    }
    Err(format!("{pointer:?} is not a pointer into JSON (RFC 6901) like \"/paging/total\""))
}

fn check_condition(condition: &Condition) -> Result<(), String> {
    if condition.is_empty() {
        return Err("a condition names nothing: status, header, text or json".to_owned());
    }
    if condition.equals.is_some() && condition.json.is_none() {
        return Err("equals: of what? (json = \"/pointer\")".to_owned());
    }
    condition.json.as_deref().map_or(Ok(()), check_pointer)
}

fn check_extract(sources: &Sources, extract: &Extract) -> Result<(), String> {
    if let Some(zone) = &extract.zone {
        clock::Zone::named(zone)?;
    }
    if extract.tables.is_empty() || extract.tables.values().any(|rows| rows.all().is_empty()) {
        return Err("extract: it has no tables".to_owned());
    }
    if extract.delimiter.is_some_and(|c| !c.is_ascii() || matches!(c, '"' | '\n' | '\r')) {
        return Err("extract: a delimiter is one character of ASCII, like \";\"".to_owned());
    }
    if let Some(known) = &extract.known {
        if extract.kind != Kind::Csv {
            return Err("extract: known is for the headings of a csv".to_owned());
        }
        regex::Regex::new(known).map_err(|error| format!("extract: known: {error}"))?;
    }
    for (table, rows) in &extract.tables {
        for rows in rows.all() {
            let spelled = rows.spelled_out().map_err(|reason| format!("table {table}: {reason}"))?;
            spelled.iter().try_for_each(|rows| check_rows(sources, extract, table, rows))?;
        }
    }
    Ok(())
}

fn check_rows(sources: &Sources, extract: &Extract, table: &str, rows: &TableRows) -> Result<(), String> {
    let has_program = matches!(extract.kind, Kind::Json | Kind::Html);
    if rows.rows.is_some() != has_program {
        return Err(match has_program {
            true => format!("table {table}: rows says which they are"),
            false => format!("table {table}: rows is for json and html; here a line or an entry is a row"),
        });
    }
    for (name, column) in &rows.columns {
        check_column(sources, extract, column)
            .map_err(|reason| format!("table {table}, column {name}: {reason}"))?;
    }
    Ok(())
}

fn check_column(sources: &Sources, extract: &Extract, column: &ColumnRule) -> Result<(), String> {
    if extract.kind != Kind::Html
        && (column.closest.is_some() || column.attribute.is_some() || column.header.is_some())
    {
        return Err("closest, attribute and header are for html".to_owned());
    }
    if column.value.is_some() && (column.from.is_some() || column.header.is_some() || column.day_of.is_some())
    {
        return Err("value is for every row; it is not read from one".to_owned());
    }
    if let Some(list) = &column.names
        && !sources.names.contains_key(list)
    {
        return Err(format!("there is no list [names.{list}]"));
    }
    if let Some(pattern) = &column.pattern {
        let regex = regex::Regex::new(pattern).map_err(|error| format!("pattern: {error}"))?;
        if regex.captures_len() < 2 {
            return Err("pattern: it has no group (…) for the value".to_owned());
        }
    }
    for format in &column.date {
        clock::DateFormat::new(format)?;
    }
    if column.otherwise.is_some() && column.map.is_empty() {
        return Err("otherwise: there is no map".to_owned());
    }
    if column.time.is_some() && (column.date.is_empty() || extract.zone.is_none()) {
        return Err("time: it needs the formats of its date, and the zone of extract".to_owned());
    }
    if column.day_of.is_some()
        && (column.closest.is_some() || column.attribute.is_some() || !column.date.is_empty())
    {
        return Err("day_of: beside it stands from only, a member with a day like 2025-08-16".to_owned());
    }
    if column.day_of.is_some() && extract.zone.is_none() {
        return Err("day_of: it needs the zone of extract".to_owned());
    }
    if column.within.is_some() && extract.season.is_none() {
        return Err("within: extract has no season".to_owned());
    }
    if column.outside.is_some() && column.within.is_none() {
        return Err("outside: of what? (within = the column of the season)".to_owned());
    }
    Ok(())
}
