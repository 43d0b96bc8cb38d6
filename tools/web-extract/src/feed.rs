use std::borrow::Cow;

use feed_rs::parser;

use crate::cell::Cell;
use crate::plan::Member;

/// What an entry of a feed has.
pub(crate) const MEMBERS: [&str; 5] = ["id", "title", "link", "published", "updated"];

/// Gives the cells of each entry of a feed (RSS, Atom, JSON Feed) to `each`.
pub(crate) fn read(
    body: &[u8],
    members: &[Member],
    mut each: impl FnMut(&[Cell<'_>], &str) -> Result<(), String>,
) -> Result<(), String> {
    let feed = parser::parse(body).map_err(|error| format!("not a feed: {error}"))?;
    for entry in feed.entries {
        let text = |name: &str| -> Option<String> {
            match name {
                "id" => Some(entry.id.clone()),
                "title" => entry.title.as_ref().map(|title| title.content.clone()),
                "link" => entry.links.first().map(|link| link.href.clone()),
                "published" => entry.published.or(entry.updated).map(|at| at.to_rfc3339()),
                "updated" => entry.updated.or(entry.published).map(|at| at.to_rfc3339()),
                _ => None,
            }
        };
        let cells: Vec<Cell<'_>> = members
            .iter()
            .map(|member| member.names.iter().find_map(|name| text(name)))
            .map(|found| found.map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text))))
            .collect();
        each(&cells, &text("title").unwrap_or_default())?;
    }
    Ok(())
}
