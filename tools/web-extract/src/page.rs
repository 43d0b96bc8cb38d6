use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::{ElementRef, Html, Node, Selector};

use crate::cell::Cell;
use crate::plan::Member;

/// More elements than this no page has.
const MOST_TAGS: usize = 2_000_000;

/// More cells than this no table has, whatever its spans say.
const MOST_CELLS: usize = 2_000_000;

/// Elements whose end is mostly not written, or that have none: they do not nest.
const FLAT: [&str; 36] = [
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img",
    "input", "li", "link", "meta", "optgroup", "option", "p", "param", "path", "rect", "rp", "rt", "source",
    "tbody", "td", "tfoot", "th", "thead", "tr", "track", "use", "wbr", "circle",
];

/// Elements whose text is no markup.
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];

/// Refuses a page whose tree would be too large or too deep, before it is built.
pub(crate) fn check_size(text: &str, most_depth: usize) -> Result<(), String> {
    let bytes = text.as_bytes();
    let (mut tags, mut at) = (0_usize, 0_usize);
    // Elements that are open; an end without its beginning closes nothing.
    let mut open: Vec<[u8; 16]> = Vec::new();
    while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
        at += found + 1;
        let rest = &bytes[at..];
        if rest.starts_with(b"!--") {
            at += memchr::memmem::find(rest, b"-->").unwrap_or(rest.len());
            continue;
        }
        let is_end = rest.first() == Some(&b'/');
        let name = if is_end { &rest[1..] } else { rest };
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        tags += 1;
        if tags > MOST_TAGS {
            return Err(format!("the page has more than {MOST_TAGS} tags"));
        }
        let length = name.iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let mut lower = [0_u8; 16];
        lower[..length].copy_from_slice(&name[..length]);
        lower.make_ascii_lowercase();
        let is = |names: &[&str]| names.iter().any(|known| known.as_bytes() == &lower[..length]);
        if is(&FLAT) {
            continue;
        }
        if is_end {
            if let Some(place) = open.iter().rposition(|open| *open == lower) {
                open.truncate(place);
            }
            continue;
        }
        let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
        if is(&RAW) {
            let close = [b"</", &lower[..length]].concat();
            let after = &rest[end..];
            let found = memchr::memchr_iter(b'<', after).find(|place| {
                after[*place..].get(..close.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(&close))
            });
            at += end + found.unwrap_or(after.len());
            continue;
        }
        if rest[..end].ends_with(b"/") {
            continue;
        }
        open.push(lower);
        if open.len() > most_depth {
            return Err(format!("the page nests more than {most_depth} elements (extract.limits.depth)"));
        }
    }
    Ok(())
}

/// What a member is, ready to be looked for.
struct Look {
    closest: Option<Selector>,
    selectors: Vec<Selector>,
}

/// The rows of a page that selectors name.
pub(crate) struct Rows<'a> {
    rows: Selector,
    members: &'a [Member],
    looks: Vec<Look>,
}

/// Reads a selector.
pub(crate) fn selector(text: &str) -> Result<Selector, String> {
    Selector::parse(text).map_err(|error| format!("{text:?} is not a CSS selector: {error}"))
}

impl<'a> Rows<'a> {
    pub(crate) fn new(rows: &str, members: &'a [Member]) -> Result<Rows<'a>, String> {
        let look = |member: &Member| {
            let selectors = if member.is_heading { &[][..] } else { &member.names[..] };
            Ok(Look {
                closest: member.closest.as_deref().map(selector).transpose()?,
                selectors: selectors.iter().map(|text| selector(text)).collect::<Result<_, String>>()?,
            })
        };
        Ok(Rows {
            rows: selector(rows)?,
            members,
            looks: members.iter().map(look).collect::<Result<_, String>>()?,
        })
    }

    /// Gives the cells of each row to `each`, or the reason why a row has not all of them. Missing headings are an
    /// error: the page changed.
    pub(crate) fn read(
        &self,
        page: &Html,
        mut each: impl FnMut(Result<&[Cell<'_>], String>, &dyn Fn() -> String) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut grids: HashMap<NodeId, Grid<'_>> = HashMap::new();
        for row in page.select(&self.rows) {
            let mut cells = Vec::with_capacity(self.members.len());
            let mut missing = None;
            for (at, (member, look)) in self.members.iter().zip(&self.looks).enumerate() {
                let found = if member.is_heading {
                    self.headed(row, at, &mut grids)?
                } else {
                    below(row, member, look)
                };
                match found {
                    Some(text) => cells.push(Cell::Text(Cow::Owned(text))),
                    None if member.optional => cells.push(Cell::Null),
                    None => {
                        let what = member.names.join(", ");
                        let what =
                            if what.is_empty() { member.attribute.clone().unwrap_or_default() } else { what };
                        missing.get_or_insert(format!("the row has no {what:?}"));
                        cells.push(Cell::Null);
                    }
                }
            }
            let shown = || text_of(row);
            match missing {
                None => each(Ok(&cells), &shown)?,
                Some(reason) => each(Err(reason), &shown)?,
            }
        }
        Ok(())
    }

    /// The cell of a row below the heading of a member; an error where the table has no such heading.
    fn headed<'b>(
        &self,
        row: ElementRef<'b>,
        at: usize,
        grids: &mut HashMap<NodeId, Grid<'b>>,
    ) -> Result<Option<String>, String> {
        let table =
            row.ancestors().filter_map(ElementRef::wrap).find(|element| element.value().name() == "table");
        let Some(table) = table else {
            return Err("a row is not in a table, and has no headings".to_owned());
        };
        let grid = match grids.entry(table.id()) {
            Entry::Occupied(grid) => grid.into_mut(),
            Entry::Vacant(place) => place.insert(Grid::of(table, self.members)?),
        };
        let Some(column) = grid.columns[at].clone()? else { return Ok(None) };
        let cell = grid.rows.get(&row.id()).and_then(|cells| cells.get(column)).copied().flatten();
        Ok(cell.and_then(|cell| match &self.members[at].attribute {
            Some(attribute) => cell.value().attr(attribute).map(str::to_owned),
            None => Some(text_of(cell)),
        }))
    }
}

fn below(row: ElementRef<'_>, member: &Member, look: &Look) -> Option<String> {
    let base = match &look.closest {
        None => row,
        Some(selector) => std::iter::once(row)
            .chain(row.ancestors().filter_map(ElementRef::wrap))
            .find(|element| selector.matches(element))?,
    };
    let found = if look.selectors.is_empty() {
        base
    } else {
        look.selectors.iter().find_map(|selector| base.select(selector).next())?
    };
    match &member.attribute {
        Some(attribute) => found.value().attr(attribute).map(str::to_owned),
        None => Some(text_of(found)),
    }
}

/// Elements that begin on a line of their own, or end one, and cells.
fn is_apart(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "br"
            | "dd"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "header"
            | "hr"
            | "li"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "table"
            | "td"
            | "th"
            | "tr"
            | "ul"
    )
}

/// The text of an element as it is seen: one blank between words, and between what stands on lines of its own.
fn text_of(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    let mut hidden = 0_usize;
    for edge in element.traverse() {
        let (node, opens) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        match node.value() {
            Node::Text(words) if opens && hidden == 0 => text.push_str(words),
            Node::Element(inner) => {
                let name = inner.name();
                if matches!(name, "script" | "style" | "template") {
                    hidden = if opens { hidden + 1 } else { hidden.saturating_sub(1) };
                } else if is_apart(name) {
                    text.push(' ');
                }
            }
            _ => {}
        }
    }
    let mut words = text.split_whitespace();
    let mut seen = words.next().unwrap_or_default().to_owned();
    for word in words {
        seen.push(' ');
        seen.push_str(word);
    }
    seen
}

/// A table as it is seen: cells that span several places stand in each.
struct Grid<'a> {
    /// The heading of each column, and that of the row of headings above it.
    headings: Vec<Vec<String>>,
    /// The element that is each column's heading.
    heads: Vec<Option<NodeId>>,
    /// The cells of each row, by the row's place in the tree.
    rows: HashMap<NodeId, Vec<Option<ElementRef<'a>>>>,
    /// The column of each member; an error where the table does not tell.
    columns: Vec<Result<Option<usize>, String>>,
}

impl<'a> Grid<'a> {
    /// The column below a member's heading; nothing where it may be missing, and is.
    fn column(&self, member: &Member) -> Result<Option<usize>, String> {
        for name in &member.names {
            let places: Vec<usize> = (0..self.headings.len())
                .filter(|&at| self.headings[at].iter().any(|known| known == name))
                .collect();
            if places.iter().any(|&at| self.heads[at] != self.heads[places[0]]) {
                return Err(format!(
                    "the table has the heading {name:?} {} times: say which, with the heading above it before it",
                    places.len()
                ));
            }
            if let Some(&place) = places.first() {
                return Ok(Some(place));
            }
        }
        if member.optional {
            return Ok(None);
        }
        let known: Vec<&str> =
            self.headings.iter().filter_map(|names| names.last().map(String::as_str)).collect();
        Err(format!(
            "the table has no heading {:?} (it has {}); did the page change?",
            member.names.join(" or "),
            known.join(", ")
        ))
    }

    fn of(table: ElementRef<'a>, members: &[Member]) -> Result<Grid<'a>, String> {
        let is = |element: ElementRef<'_>, names: &[&str]| names.contains(&element.value().name());
        let children = |element: ElementRef<'a>| element.children().filter_map(ElementRef::wrap);
        // Rows, whether they are of the head, and the number of their group.
        let mut lines: Vec<(ElementRef<'a>, bool, usize)> = Vec::new();
        let mut group = 0;
        for child in children(table) {
            if is(child, &["tr"]) {
                lines.push((child, false, group));
            } else if is(child, &["thead", "tbody", "tfoot"]) {
                let is_head = is(child, &["thead"]);
                group += 1;
                lines
                    .extend(children(child).filter(|row| is(*row, &["tr"])).map(|row| (row, is_head, group)));
                group += 1;
            }
        }
        let mut rows: HashMap<NodeId, Vec<Option<ElementRef<'a>>>> = HashMap::new();
        let mut above: Vec<(usize, Option<ElementRef<'a>>)> = Vec::new();
        let mut heads: Vec<Vec<Option<ElementRef<'a>>>> = Vec::new();
        let mut is_beginning = true;
        let mut total = 0;
        let mut before = 0;
        for (line, is_head, group) in lines {
            if group != before {
                // What spans down ends with its group of rows.
                above.clear();
                before = group;
            }
            let mut row: Vec<Option<ElementRef<'a>>> = Vec::new();
            let mut down: Vec<(usize, Option<ElementRef<'a>>)> = Vec::new();
            let mut cells = children(line).filter(|cell| is(*cell, &["td", "th"])).peekable();
            let mut all_heads = cells.peek().is_some();
            loop {
                // What spans down from a row above stands here first.
                if let Some((left, cell)) = above.get(row.len()).copied().filter(|(left, _)| *left > 0) {
                    row.push(cell);
                    down.push((left - 1, cell));
                } else if let Some(cell) = cells.next() {
                    all_heads &= is(cell, &["th"]);
                    let span = |name: &str, most: usize| {
                        cell.value()
                            .attr(name)
                            .and_then(|text| text.trim().parse::<usize>().ok())
                            .map_or(1, |n| if n == 0 { most } else { n.min(most) })
                    };
                    // The most that HTML lets them span.
                    let (wide, deep) = (span("colspan", 1000), span("rowspan", 65_534));
                    for _ in 0..wide {
                        row.push(Some(cell));
                        down.push((deep - 1, Some(cell)));
                    }
                } else if row.len() < above.len() {
                    row.push(None);
                    down.push((0, None));
                } else {
                    break;
                }
                total += 1;
                if total + row.len() > MOST_CELLS {
                    return Err(format!("a table has more than {MOST_CELLS} cells"));
                }
            }
            above = down;
            while row.last().is_some_and(Option::is_none) {
                row.pop();
            }
            if is_head || is_beginning && all_heads {
                heads.push(row.clone());
            } else {
                is_beginning = false;
            }
            rows.insert(line.id(), row);
        }
        let width = heads.iter().map(Vec::len).max().unwrap_or(0);
        let headings = (0..width)
            .map(|column| {
                let texts: Vec<String> = heads
                    .iter()
                    .filter_map(|row| row.get(column).copied().flatten())
                    .map(text_of)
                    .filter(|text| !text.is_empty())
                    .collect();
                let mut names = Vec::new();
                if texts.len() > 1 {
                    // Two rows of headings: both words, like "Home Won".
                    names.push(texts.join(" "));
                }
                names.extend(texts.last().cloned());
                names
            })
            .collect();
        let heads = (0..width)
            .map(|column| {
                heads.iter().rev().find_map(|row| row.get(column).copied().flatten()).map(|cell| cell.id())
            })
            .collect();
        let mut grid = Grid { headings, heads, rows, columns: Vec::new() };
        grid.columns = members.iter().map(|member| grid.column(member)).collect();
        Ok(grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(heading: &str) -> Member {
        Member {
            names: vec![heading.to_owned()],
            optional: false,
            closest: None,
            attribute: None,
            is_heading: true,
        }
    }

    fn read(page: &str, headings: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let members: Vec<Member> = headings.iter().map(|heading| member(heading)).collect();
        let rows = Rows::new("tbody tr", &members)?;
        let mut all = Vec::new();
        rows.read(&Html::parse_document(page), |cells, _| {
            all.push(cells?.iter().map(|cell| cell.text().into_owned()).collect());
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn cells_stand_below_their_headings_whatever_spans() {
        let page = "<table><thead><tr><th rowspan=2>Team<th colspan=2>Home<th colspan=2>Away</tr>
            <tr><th>W<th>L<th>W<th>L</tr></thead>
            <tbody><tr><td>A<td>1<td>2<td>3<td>4</tr><tr><td rowspan=2>B<td colspan=2>5<td>6<td>7</tr>
            <tr><td>8<td>9<td>10<td>11</tr></tbody></table>";
        let rows = read(page, &["Team", "Home L", "Away W"]).unwrap();
        assert_eq!(rows, [["A", "2", "3"], ["B", "5", "6"], ["B", "9", "10"]]);
        assert!(
            read(page, &["Points"]).unwrap_err().contains("no heading \"Points\" (it has Team, W, L, W, L)")
        );
        let late = "<table><tr><th>X</tr><tr><td>1</tr><tr><th>Y</tr></table>";
        assert_eq!(read(late, &["X"]).unwrap(), [["X"], ["1"], ["Y"]]);
    }

    #[test]
    fn huge_spans_and_deep_pages_end() {
        let wide = format!("<table><tr>{}</tr></table>", "<td colspan=1000 rowspan=65534>x".repeat(3000));
        assert!(read(&wide, &["X"]).unwrap_err().contains("more than"));
        assert!(check_size(&"<div>".repeat(600), 512).is_err());
        assert!(check_size(&"<div></div>".repeat(60_000), 512).is_ok());
        assert!(check_size(&"<td>x<p>y<LI>".repeat(60_000), 512).is_ok());
        assert!(check_size("<<<< 3 < 4 </ > <!-- <x -->", 512).is_ok());
    }
}
