use std::borrow::Cow;

use feed_rs::parser;
use scraper::Html;

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
    // An entry without an id gets that of its link and title: the same one each time.
    let parser = parser::Builder::new()
        .id_generator(|links, title, _| {
            let link = links.first().map(|link| link.href.as_str()).unwrap_or_default();
            let title = title.as_ref().map(|title| title.content.as_str()).unwrap_or_default();
            fingerprint::of(format!("{link}\n{title}"))
        })
        .build();
    let feed = parser.parse(body).map_err(|error| format!("not a feed: {error}"))?;
    for entry in feed.entries {
        let text = |name: &str| -> Option<String> {
            match name {
                "id" => Some(entry.id.clone()),
                "title" => entry.title.as_ref().map(|title| plain(&title.content)),
                "link" => {
                    let is_article =
                        |rel: &Option<String>| rel.as_deref().is_none_or(|rel| rel == "alternate");
                    let article = entry.links.iter().find(|link| is_article(&link.rel));
                    article.or(entry.links.first()).map(|link| link.href.clone())
                }
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

/// A title as it is read: feeds write marks and entities into it.
fn plain(title: &str) -> String {
    if !title.contains(['<', '&']) {
        return title.to_owned();
    }
    let text: String = Html::parse_fragment(title).root_element().text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
