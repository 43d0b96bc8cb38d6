//! Pages: rows by selectors, cells by selectors, attributes and headings, and what a page must not do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{HEADER, answer, extract, lines, of_type, page, rows, session, source};
use pipelines::{Ran, Session};

#[track_caller]
fn reads(session: &Session, body: impl AsRef<[u8]>, wanted: &[&str]) {
    let ran = extract(session, body);
    ran.expect(0);
    assert_eq!(rows(&ran), wanted, "{ran}");
}

#[track_caller]
fn refuses(session: &Session, body: impl AsRef<[u8]>, words: &str) {
    let ran = extract(session, body);
    ran.expect(65).says(words);
    assert_eq!(ran.stdout, HEADER, "{ran}");
}

/// Extracts a page with a content type.
fn typed(session: &Session, content_type: &str, body: impl AsRef<[u8]>) -> Ran {
    session.file("answers.jsonl", lines(&[of_type(answer("x", 1, body), content_type)]));
    session.run("web-extract --format csv answers.jsonl")
}

#[test]
fn cells_are_found_from_their_row() {
    let session = page(
        "",
        "#odds tr td[data-odds]:not([data-odds=''])",
        "id = { closest = \"td\", attribute = \"data-bk\" }\nx = { closest = \"td\", attribute = \"data-odds\" }\n\
         word = { closest = \"tr\", attribute = \"data-name\" }\nnote = { closest = \"tr\", from = \"td.nm a\" }\n\
         n = { closest = \"table\", from = [\"caption i\", \"caption b\"] }",
    );
    let body = "<!DOCTYPE html><table id=odds><caption>No <b> 7 </b></caption>\
        <tr data-name=H><td class=nm><a>Ashby  &amp;\n Co</a></td><td data-bk=B3 data-odds=2.1></td><td \
        data-bk=SK data-odds=''></td></tr>\
        <tr data-name=A><td class=nm><a>Brook</a></td><td data-bk=SK data-odds=3.5></td></tr></table>\
        <table><tr data-name=Z><td data-bk=B3 data-odds=9></td></tr></table>";
    // A price that is missing shifts nothing: each cell says by itself whose it is.
    reads(&session, body, &["p,B3,7,2.1,H,Ashby & Co,,", "p,SK,7,3.5,A,Brook,,"]);
    // The text of an element is all text in it, with one blank between words.
    let session = page(
        "",
        "p.r",
        "id = { from = \"b\" }\nnote = { closest = \"p\" }\nword = { from = \"i\", optional = true }",
    );
    reads(
        &session,
        "<p class=r>one <b>a</b>\n\t two&nbsp;th<u>ree</u><p class=r><b>b</b><i> w </i>",
        &["p,a,,,,one a two three,,", "p,b,,,w,b w,,"],
    );
}

#[test]
fn what_stands_apart_is_not_one_word() {
    // 2<br>1 is a score of 2 and 1, and not 21.
    let session = page("", "tr", "id = { from = \"th\" }\nnote = { from = \"td\" }");
    reads(
        &session,
        "<table><tr><th>a<td>2<br>1<tr><th>b<td><div>Man</div><div>United</div>\
         <tr><th>c<td><ul><li>x<li>y</ul></table>",
        &["p,a,,,,2 1,,", "p,b,,,,Man United,,", "p,c,,,,x y,,"],
    );
    let session = page("", "tr", "id = { from = \"th\" }\nn = { from = \"td\" }");
    refuses(&session, "<table><tr><th>a<td>2<br>1</table>", "\"2 1\" is not an integer");
}

#[test]
fn a_row_without_a_required_cell_is_a_reject() {
    let session = page(
        "",
        "p.r",
        "id = { from = \"b\" }\nn = { from = \"i\", attribute = \"data-n\" }\nword = { closest = \"div\", \
            attribute = \"data-w\", optional = true }",
    );
    let body = "<p class=r><b>a</b><i data-n=1></i></p><p class=r><i data-n=2></i></p><p \
        class=r><b>c</b><i>3</i></p><p class=r><b>d</b></p>\
        <div data-w=w><p class=r><b>e</b><i data-n=5></i></p></div>";
    refuses(&session, body, "row 2 of cells: the row has no \"b\"");
    let ran = session.run("web-extract --format csv answers.jsonl --rejects rejects.csv");
    ran.expect(0).says("2 rows, 0 left out, 3 rejected");
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,e,5,,w,,,"]);
    let kept = session.read("rejects.csv");
    assert!(kept.contains(",cells,3,\"the row has no \"\"i\"\"\",c3\n"), "{kept}");
    assert_eq!(kept.lines().count(), 4);
}

#[test]
fn cells_stand_below_their_headings() {
    let columns = "id = { header = \"Team\" }\nn = { header = [\"Pts\", \"Points\"] }\nx = { header = \"GD\", \
        optional = true, pattern = '([-+]?\\d+)' }\n\
                   note = { header = \"Team\", attribute = \"title\", optional = true }";
    let session = page("", "table#league tbody tr:not(.thead):not(.spacer)", columns);
    let body = "<table><thead><tr><th>Team<th>Pts</thead><tbody><tr><td>Nobody<td>99</table>\
        <table id=league><thead><tr class=thead><th>Pos<th>Team<th>Pts<th>GD</thead><tbody>\
        <tr><td>1<th title=t>Ashby<td>7<td>+2<tr class=spacer><td colspan=4>\
        <tr class=thead><th>Pos<th>Team<th>Pts<th>GD<tr><td>2<td>Brook<td>1<td>-3</table>";
    reads(&session, body, &["p,Ashby,7,2,,t,,", "p,Brook,1,-3,,,,"]);
    // Another order, another word, one column more, one optional less.
    let body =
        "<table id=league><tr class=thead><th>Points<th>New<th>Team</tr><tr><td>7<td>?<td>Ashby</tr></table>";
    reads(&session, body, &["p,Ashby,7,,,,,"]);
    // A heading that is gone tells which there are: nothing is taken by its position.
    let lost =
        "<table id=league><thead><tr><th>Pos<th>Team<th>GF</thead><tbody><tr><td>1<td>Ashby<td>7</table>";
    refuses(&session, lost, "no heading \"Pts or Points\" (it has Pos, Team, GF); did the page change?");
    session.run("web-extract answers.jsonl --rejects rejects.csv").expect(65).says("no heading");
    // Rows that are in no table have no headings.
    refuses(&page("", "p", "id = { header = \"Team\" }"), "<p>x", "not in a table");
}

#[test]
fn headings_of_two_rows_and_cells_that_span() {
    let columns = "id = { header = \"Team\" }\nn = { header = \"Home L\" }\nx = { header = \"Away W\" }\nnote = \
        { header = \"Last\" }";
    let session = page("", "tbody tr", columns);
    let head = "<table><thead><tr><th rowspan=2>Team<th colspan=2>Home<th colspan=2>Away<th \
        rowspan=2>Last<tr><th>W<th>L<th>W<th>L</thead>";
    reads(
        &session,
        format!(
            "{head}<tbody><tr><td>A<td>1<td>2<td>3<td>4<td>x<tr><td rowspan=2>B<td \
                colspan=2>5<td>6<td>7<td>y<tr><td>8<td>9<td>10<td>11<td>z</table>"
        ),
        &["p,A,2,3,,x,,", "p,B,5,6,,y,,", "p,B,9,10,,z,,"],
    );
    // A row that is too short has no cell there, and is a reject.
    refuses(
        &session,
        format!("{head}<tbody><tr><td>A<td>1<td>2<td>3</table>"),
        "row 1 of cells: the row has no \"Last\"",
    );
    // A heading that stands over two columns is neither of them.
    refuses(
        &page("", "tbody tr", "id = { header = \"Team\" }\nn = { header = \"W\" }"),
        format!("{head}<tbody><tr><td>A<td>1<td>2<td>3<td>4<td>x</table>"),
        "\"W\"",
    );
}

#[test]
fn what_spans_ends_with_its_group_of_rows() {
    // A browser does not let a heading reach into the body, whatever it says.
    let session = page("", "tbody tr", "id = { header = \"Team\" }\nnote = { header = \"Pts\" }");
    let body = "<table><thead><tr><th rowspan=2>Team<th>Pts</thead><tbody><tr><td>A<td>3<tr><td>B<td>4</tbody>\
        <tbody><tr><td rowspan=9>C<td>5</tbody><tbody><tr><td>D<td>6</tbody></table>";
    reads(&session, body, &["p,A,,,,3,,", "p,B,,,,4,,", "p,C,,,,5,,", "p,D,,,,6,,"]);
    // To the end of its group, where it says 0.
    let body =
        "<table><thead><tr><th>Team<th>Pts</thead><tbody><tr><td rowspan=0>A<td>1<tr><td>2</tbody></table>";
    reads(&session, body, &["p,A,,,,1,,", "p,A,,,,2,,"]);
}

#[test]
fn a_table_in_a_cell_is_its_own() {
    let session = page("", "#t > tbody > tr", "id = { header = \"Team\" }\nn = { header = \"Pts\" }");
    let body = "<table id=t><thead><tr><th>Team<th>Form<th>Pts</thead><tbody><tr><td>A<td>\
        <table><tr><td>W<td>W<td>L</table><td>7</table>";
    reads(&session, body, &["p,A,7,,,,,"]);
}

#[test]
fn a_page_without_rows_is_refused() {
    let session = page("", "tbody tr", "id = { from = \"td\" }");
    for body in [
        "<table><thead><tr><th>Team</thead><tbody></tbody></table>",
        "<title>Just a moment...</title>",
        "",
        "not a page",
    ] {
        refuses(&session, body, "0 rows of cells, and at least 1");
    }
    let session = session_least();
    refuses(&session, "<table><tr><td>a</table>", "1 row of cells, and at least 2");
    reads(&session, "<table><tr><td>a<tr><td>b</table>", &["p,a,,,,,,", "p,b,,,,,,"]);
}

fn session_least() -> Session {
    session(&source("html", "", "rows = \"tbody tr\"\nleast = 2", "id = { from = \"td\" }"))
}

#[test]
fn tables_in_comments_count_where_that_is_said() {
    let body = "<div><!-- <table id=t><tr><td>a</td></tr></table> --></div>";
    let columns = "id = { from = \"td\" }";
    reads(&page("comments = true", "#t tr", columns), body, &["p,a,,,,,,"]);
    refuses(&page("", "#t tr", columns), body, "0 rows");
    // A comment in a cell is not its text.
    reads(&page("", "#t tr", columns), "<table id=t><tr><td>a<!-- b --></td></tr></table>", &["p,a,,,,,,"]);
}

#[test]
fn a_score_is_taken_apart_by_patterns() {
    let session = page(
        "",
        "p",
        "id = { from = \"b\" }\nn = { from = \"i\", pattern = '^(\\d+)\\s*[\u{2013}-]\\s*\\d+$' }\nx = { from \
            = \"i\", pattern = '^\\d+\\s*[\u{2013}-]\\s*(\\d+)$' }",
    );
    reads(
        &session,
        "<p><b>a</b><i>2\u{2013}1</i></p><p><b>b</b><i>10 - 0</i></p><p><b>c</b><i>v</i></p><p><b>d</b><i></i></p>",
        &["p,a,2,1,,,,", "p,b,10,0,,,,", "p,c,,,,,,", "p,d,,,,,,"],
    );
}

#[test]
fn an_encoding_is_the_files_or_the_headers_or_a_guess() {
    let columns = "id = { closest = \"p\" }";
    let session = page("", "p", columns);
    let cases: [(&str, &[u8], &str); 7] = [
        ("text/html; charset=utf-8", "<p>\u{141}\u{f3}d\u{17a}".as_bytes(), "\u{141}\u{f3}d\u{17a}"),
        ("text/html", "<p>\u{141}\u{f3}d\u{17a}".as_bytes(), "\u{141}\u{f3}d\u{17a}"),
        ("text/html; charset=ISO-8859-2", b"<p>\xa3\xf3d\xbc", "\u{141}\u{f3}d\u{17a}"),
        ("text/html; Charset=\"iso-8859-2\"; x=y", b"<p>\xa3\xf3d\xbc", "\u{141}\u{f3}d\u{17a}"),
        ("text/html", b"<p>Alav\xe9s", "Alav\u{e9}s"),
        ("text/html; charset=none-such", b"<p>Alav\xe9s", "Alav\u{e9}s"),
        ("text/html; charset=utf-8", b"<p>Alav\xe9s", "Alav\u{e9}s"),
    ];
    for (content_type, body, wanted) in cases {
        let ran = typed(&session, content_type, body);
        ran.expect(0);
        assert_eq!(rows(&ran), [format!("p,{wanted},,,,,,")], "{content_type}: {ran}");
    }
    typed(&session, "text/html", b"<p>Alav\xe9s").says("read as windows-1252");
    typed(&session, "text/html", "<p>Alav\u{e9}s").hides("windows-1252");
    // The file of sources knows better than the site.
    let ran = typed(
        &page("encoding = \"iso-8859-2\"", "p", columns),
        "text/html; charset=utf-8",
        b"<p>\xa3\xf3d\xbc",
    );
    assert_eq!(rows(&ran), ["p,\u{141}\u{f3}d\u{17a},,,,,,"]);
    // What it says and the page is not, is refused: no letter becomes another one.
    for encoding in ["utf-8", "shift_jis"] {
        let ran =
            typed(&page(&format!("encoding = \"{encoding}\""), "p", columns), "text/html", b"<p>x\xff\xfe");
        ran.expect(65);
        assert_eq!(ran.stdout, HEADER, "{encoding}: {ran}");
    }
}

#[test]
fn pages_that_are_deep_or_huge_end() {
    let session = page("", "p", "id = { closest = \"p\" }");
    let deep = |tag: &str, n: usize| format!("{}<p>x", format!("<{tag}>").repeat(n));
    reads(&session, deep("div", 400), &["p,x,,,,,,"]);
    refuses(&session, deep("div", 600), "nests more than 512 elements (extract.limits.depth)");
    refuses(&session, deep("b", 100_000), "nests more than 512");
    refuses(
        &page("limits = { depth = 10 }", "p", "id = { closest = \"p\" }"),
        deep("div", 11),
        "nests more than 10",
    );
    reads(
        &page("limits = { depth = 2000 }", "p", "id = { closest = \"p\" }"),
        deep("div", 1500),
        &["p,x,,,,,,"],
    );
    // Wide is not deep, also where ends are not written.
    let items = "<li>y".repeat(5_000);
    reads(&session, format!("<ul>{items}</ul><p>x"), &["p,x,,,,,,"]);
    refuses(&session, "<i></i>".repeat(1_100_000), "more than 2000000 tags");
    // Spans of millions of cells.
    let wide =
        format!("<table><tr><th>T</tr><tr>{}</tr></table>", "<td colspan=1000 rowspan=65534>x".repeat(3_000));
    refuses(&page("", "tr + tr", "id = { header = \"T\" }"), wide, "more than 2000000 cells");
}

#[test]
fn what_only_looks_deep_is_read() {
    let session = page("", "p", "id = { closest = \"p\" }");
    reads(&session, format!("<svg>{}</svg><p>x", "<polygon points='1,1'/>".repeat(1_000)), &["p,x,,,,,,"]);
    reads(&session, format!("<script>{}</script><p>x", "s += '<div>';".repeat(1_000)), &["p,x,,,,,,"]);
    reads(&session, format!("<!--{}--><p>x", "<div>".repeat(1_000)), &["p,x,,,,,,"]);
}

#[test]
fn a_page_of_20_megabytes_is_read() {
    let session = page("", "tr.r", "id = { from = \"td.i\" }\nn = { from = \"td.n\" }");
    let mut body = String::from("<table>");
    for number in 0..150_000 {
        body.push_str(&format!(
            "<tr class=r><td class=i>i{number}</td><td class=n>{number}</td><td>{:>80}</td></tr>",
            "."
        ));
    }
    assert!(body.len() > 20_000_000);
    session.file("answers.jsonl", lines(&[answer("x", 1, &body)]));
    session.run("web-extract --format csv answers.jsonl > rows.csv").expect(0).says("150,000 rows");
    assert!(session.read("rows.csv").ends_with("p,i149999,149999,,,,,\n"));
    // Or it ends cleanly where that is too much.
    let session = page("limits = { memory = \"64MiB\" }", "tr.r", "id = { from = \"td.i\" }");
    session.file("answers.jsonl", lines(&[answer("x", 1, &body)]));
    session.run("web-extract answers.jsonl > rows").expect(78).says("extract.limits.memory");
    assert_eq!(session.read("rows"), "");
}

#[test]
fn broken_pages_are_read_as_browsers_do() {
    let session = page("", "tr", "id = { from = \"td\" }");
    for body in [
        "<table><tr><td>a",
        "<tr><td>x</td></tr><table><tr><td>a</table>",
        "<table><td>a</td></table>",
        "<TABLE><TR><TD>a</TD></TR></TABLE>",
    ] {
        reads(&session, body, &["p,a,,,,,,"]);
    }
    // What a script writes is not there.
    refuses(&session, "<script>document.write('<table><tr><td>a</table>')</script>", "0 rows");
}
