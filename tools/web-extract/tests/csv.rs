//! CSVs as sites publish them: encodings, headers, widths, cuts, long files, seasons and their days.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use std::io::Write;

use answers::{
    HEADER, answer, count, csv, extract, file, lines, of_type, rows, seasons, session, source, wire,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use pipelines::Session;

/// A source whose columns have the names of the table's.
fn plain() -> Session {
    csv("", "", "")
}

/// The same with further keys of `extract`.
fn with(extract: &str) -> Session {
    csv(extract, "", "")
}

#[track_caller]
fn reads(session: &Session, body: impl AsRef<[u8]>, wanted: &[&str]) {
    let ran = file(session, body);
    ran.expect(0);
    assert_eq!(rows(&ran), wanted, "{ran}");
}

#[track_caller]
fn refuses(session: &Session, body: impl AsRef<[u8]>, words: &str) {
    let ran = file(session, body);
    ran.expect(65).says(words);
    assert_eq!(ran.stdout, HEADER, "{ran}");
}

#[test]
fn marks_and_line_ends_are_nothing() {
    let session = plain();
    let wanted = ["p,a,1,,,,,", "p,b,2,,,,,"];
    for body in [
        "id,n\na,1\nb,2\n",
        "\u{feff}id,n\na,1\nb,2\n",
        "id,n\r\na,1\r\nb,2\r\n",
        "\u{feff}\"id\",\"n\"\r\n\"a\",\"1\"\r\nb,2\r\n",
        "id,n\na,1\n\nb,2\n\n",
        "n,id\n1,a\n2,b\n",
        "id , n\na, 1\n b ,2\n",
    ] {
        reads(&session, body, &wanted);
    }
    file(&session, "\u{feff}id,n\na,1\n").expect(0).says("a byte order mark was dropped");
    file(&session, "id,n\na, 1\n").expect(0).says("blanks around 1 cell");
    file(&session, "id,n\na,1\n").expect(0).hides("byte order").hides("blanks");
    // The same as an answer.
    let ran = extract(&session, "\u{feff}id,n\r\na,1\r\nb,2\r\n");
    ran.expect(0);
    assert_eq!(rows(&ran), wanted);
}

#[test]
fn what_cannot_be_utf8_is_windows_1252() {
    let session = plain();
    let ran = file(&session, b"id,note\na,Alav\xe9s \x80\nb,\xa0U Rennie\xa0\n");
    ran.expect(0).says("read as windows-1252").says("blanks around 1 cell");
    assert_eq!(rows(&ran), ["p,a,,,,Alav\u{e9}s \u{20ac},,", "p,b,,,,U Rennie,,"]);
    let ran = file(&session, "id,note\na,Alav\u{e9}s\n");
    ran.expect(0).hides("windows-1252");
    assert_eq!(rows(&ran), ["p,a,,,,Alav\u{e9}s,,"]);
    // The header too.
    let session = csv("", "", "note = { from = \"Gr\u{f6}\u{df}e\" }");
    reads(&session, b"id,Gr\xf6\xdfe\na,x\n", &["p,a,,,,x,,"]);
    reads(&session, "id,Gr\u{f6}\u{df}e\na,x\n", &["p,a,,,,x,,"]);
}

#[test]
fn a_cell_late_in_a_file_decides_its_encoding() {
    let session = plain();
    let mut body = b"id,note\n".to_vec();
    for number in 0..40_000 {
        body.extend(format!("i{number},plain\n").bytes());
    }
    body.extend(b"last,Alav\xe9s\n");
    let ran = file(&session, &body);
    ran.expect(0).says("read as windows-1252");
    assert_eq!(rows(&ran).last(), Some(&"p,last,,,,Alav\u{e9}s,,"));
    assert_eq!(rows(&ran).len(), 40_001);
    // Two encodings in one file are nobody's: read as one of them, the cells of the other would be other words.
    let mut both = "id,note\na,\u{c5}lesund\n".as_bytes().to_vec();
    both.extend(b"b,Alav\xe9s\n");
    refuses(&session, &both, "some cells are UTF-8 and some cannot be");
}

#[test]
fn a_label_says_the_encoding() {
    let text = "id,note\na,\u{141}\u{f3}d\u{17a}\n";
    reads(&with("encoding = \"utf-8\""), text, &["p,a,,,,\u{141}\u{f3}d\u{17a},,"]);
    reads(
        &with("encoding = \"iso-8859-2\""),
        b"id,note\na,\xa3\xf3d\xbc\n",
        &["p,a,,,,\u{141}\u{f3}d\u{17a},,"],
    );
    reads(
        &with("encoding = \"shift_jis\""),
        b"id,note\na,\x93\x8c\x8b\x9e\n",
        &["p,a,,,,\u{6771}\u{4eac},,"],
    );
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    reads(&with("encoding = \"utf-16le\""), wide, &["p,a,,,,\u{141}\u{f3}d\u{17a},,"]);
    // What the encoding does not know is never left out or replaced.
    refuses(&with("encoding = \"utf-8\""), b"id,note\na,x\nb,Alav\xe9s\n", "not UTF-8");
    refuses(&with("encoding = \"shift_jis\""), b"id,note\na,\x93\x8c\nb,\xff\xfe\n", "not Shift_JIS");
    refuses(&with("encoding = \"utf-8\""), b"id,note\na,x\nb,\xe2\x82", "not UTF-8");
}

#[test]
fn cells_may_have_other_delimiters() {
    let session = with("delimiter = \";\"");
    reads(
        &session,
        "id;n;note\na;1;x,y\nb;2;\"x;\"\"y\"\"\"\n",
        &["p,a,1,,,\"x,y\",,", "p,b,2,,,\"x;\"\"y\"\"\",,"],
    );
    reads(&session, "\u{feff}id;n\r\na;1\r\n", &["p,a,1,,,,,"]);
    reads(&with("delimiter = \"\\t\""), "id\tn\na\t1\n", &["p,a,1,,,,,"]);
    reads(
        &with("delimiter = \"|\"\nencoding = \"windows-1252\""),
        b"id|note\na|\xe9\n",
        &["p,a,,,,\u{e9},,"],
    );
    refuses(&session, "id;n;note\na;1\n", "2 cells, but the header has 3");
    refuses(&session, "id;n\na;1;3\n", "3 cells, but the header has 2");
    reads(&session, "id;n\na;1;;\n", &["p,a,1,,,,,"]);
    // A wrong delimiter is a missing column.
    refuses(&csv("delimiter = \";\"", "", "n = {}"), "id,n\na,1\n", "there is no column \"n\"");
}

#[test]
fn a_cut_file_of_another_delimiter_is_seen_too() {
    let session = with("delimiter = \";\"");
    refuses(&session, "id;n\na;1\nb;2", "lacks its newline");
    // However long the row is in which it was cut.
    refuses(&session, format!("id;note\na;{}", "x".repeat(40_000)), "lacks its newline");
    let long: String = (0..20_000).map(|number| format!("i{number};{number}\n")).collect();
    for cut in [1, 2, 3, 5, 8, 30_000, 32_768, 65_536] {
        let body = format!("id;n\n{long}");
        let body = &body[..body.len() - cut];
        if !body.ends_with('\n') {
            refuses(&session, body, "lacks its newline");
        }
    }
    // A cut inside of quotes, behind a line end.
    refuses(&session, "id;note\na;x\nb;\"y\n", "inside of a quoted cell");
    reads(
        &with("delimiter = \";\"\nallow_unterminated = true"),
        "id;n\na;1\nb;2",
        &["p,a,1,,,,,", "p,b,2,,,,,"],
    );
}

#[test]
fn a_cut_file_is_seen() {
    let session = plain();
    refuses(&session, "id,n\na,1\nb,2", "lacks its newline");
    refuses(&session, "id,note\na,x\nb,\"y\n", "never closed");
    refuses(&session, "id,n", "lacks its newline");
    let allows = with("allow_unterminated = true");
    reads(&allows, "id,n\na,1\nb,2", &["p,a,1,,,,,", "p,b,2,,,,,"]);
    // The message names the key of the file of sources; this program has no such flag.
    file(&session, "id,n\na,1").says("allow_unterminated").hides("--allow-unterminated");
    // A header that was cut is no header of a file without rows.
    let nothing = csv("", "least = 0", "");
    refuses(&nothing, "id,n,no", "lacks its newline");
    reads(&nothing, "id,n\n", &[]);
}

#[test]
fn an_empty_file_and_one_without_rows_are_refused() {
    let session = plain();
    refuses(&session, "", "it is empty");
    refuses(&session, "\u{feff}", "it is empty");
    refuses(&session, "id,n\n", "0 rows of cells, and at least 1");
    refuses(&csv("", "least = 3", ""), "id,n\na,1\nb,2\n", "2 rows of cells, and at least 3");
    reads(&csv("", "least = 2", ""), "id,n\na,1\nb,2\n", &["p,a,1,,,,,", "p,b,2,,,,,"]);
}

#[test]
fn surplus_cells_are_nothing_while_they_are_empty() {
    let session = plain();
    let ran = file(&session, "id,n\na,1\nb,2,,\nc,3, ,\t\n");
    ran.expect(0).says("2 rows with empty cells beyond the header");
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,b,2,,,,,", "p,c,3,,,,,"]);
    refuses(&session, "id,n\na,1\nb,2,,7\n", "4 cells, but the header has 2: are two files glued");
    refuses(&session, "id,n,note\na,1\n", "2 cells, but the header has 3");
    refuses(&session, "id,n\na,1\nid,n,x\nb,2,3\n", "glued");
    // Such rows can be put aside, with their lines.
    session.file("x.csv", "id,n\na,1\nb,2,3\nc\nd,4\n");
    let ran = session.run("web-extract --source x --format csv x.csv --rejects rejects.csv");
    ran.expect(0).says("2 rejected");
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,d,4,,,,,"]);
    let kept = session.read("rejects.csv");
    assert!(
        kept.contains("\nx.csv,cells,3,\"3 cells") && kept.contains("\nx.csv,cells,4,\"1 cell"),
        "{kept}"
    );
    assert!(kept.contains("b,2,3"), "{kept}");
}

#[test]
fn headings_may_be_empty_or_stand_twice() {
    let session = plain();
    let ran = file(&session, "id,n,,,\na,1,,,\nb,2,x,,y\n");
    ran.expect(0).says("3 headings without a name");
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,b,2,,,,,"]);
    reads(&session, ",id,n\n0,a,1\n", &["p,a,1,,,,,"]);
    reads(&session, " ,id,n\n0,a,1\n", &["p,a,1,,,,,"]);
    // The first of two counts.
    reads(&session, "id,n,n\na,1,2\n", &["p,a,1,,,,,"]);
    reads(&session, "id,\"n\",\"a \"\"b\"\", c\"\na,1,2\n", &["p,a,1,,,,,"]);
    reads(&session, "id,\"two\nlines\",n\na,x,1\n", &["p,a,1,,,,,"]);
}

#[test]
fn a_quote_inside_of_a_heading_swallows_no_row() {
    // An inch is no quoted cell: the rows that follow are rows.
    let body = "id,size 5\",n\na,2,1\nb,\"3\",2\nc,6\",3\nd,x,4\n";
    reads(&plain(), body, &["p,a,1,,,,,", "p,b,2,,,,,", "p,c,3,,,,,", "p,d,4,,,,,"]);
}

#[test]
fn columns_are_found_by_name() {
    let session = csv("", "", "n = { from = [\"goals\", \"g\"] }\nx = { from = \"odds\", optional = true }");
    reads(&session, "id,goals,odds\na,1,2.5\n", &["p,a,1,2.5,,,,"]);
    reads(&session, "odds,g,id\n2.5,1,a\n", &["p,a,1,2.5,,,,"]);
    reads(&session, "id,g,goals\na,1,2\n", &["p,a,2,,,,,"]);
    reads(&session, "id,goals,new\na,1,?\n", &["p,a,1,,,,,"]);
    refuses(&session, "id,gaols\na,1\n", "there is no column \"goals or g\"");
    // With the name that is most like it.
    refuses(&csv("", "", "n = { from = \"goals\" }"), "id,gaols,other\na,1,2\n", "the nearest is \"gaols\"");
    // In a very wide header not every name is said.
    let wide: Vec<String> = (0..200).map(|number| format!("c{number}")).collect();
    let wide = format!("id,{}\n", wide.join(","));
    refuses(&csv("", "", "n = { from = \"goals\" }"), wide, "and 161 more");
}

#[test]
fn rows_are_left_out_by_their_members() {
    let body = "id,n,kind\na,1,H\nb,2,\n,,\nc,3,x\nd,4, A \n,,\n";
    let session = csv("", "where = { kind = [\"H\", \"A\"] }", "");
    let ran = file(&session, body);
    ran.expect(0).says("2 rows, 4 left out, 0 rejected");
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,d,4,,,,,"]);
    reads(&csv("", "where = { kind = [\"\"], id = [\"b\"] }", ""), body, &["p,b,2,,,,,"]);
    reads(
        &csv("", "needs = [\"n\"]\nwhere = { kind = [\"H\", \"\"] }", ""),
        "id,n,kind\na,,H\nb,2,\n",
        &["p,b,2,,,,,"],
    );
    // What tells is not there.
    refuses(&session, "id,n\na,1\n", "there is no column \"kind\"");
    // Rows that are left out do not count.
    refuses(&session, "id,n,kind\na,1,x\n", "0 rows of cells");
}

#[test]
fn quoted_cells_hold_commas_quotes_and_lines() {
    let session = plain();
    reads(
        &session,
        "id,note,n\na,\"x, \"\"y\"\"\",1\n\"b\",\"p,q\",2\n",
        &["p,a,1,,,\"x, \"\"y\"\"\",,", "p,b,2,,,\"p,q\",,"],
    );
    let ran = file(&session, "id,note\na,\"x\ny\"\nb,z\n");
    ran.expect(0);
    assert_eq!(ran.stdout, format!("{HEADER}p,a,,,,\"x\ny\",,\np,b,,,,z,,\n"));
    // Lines are counted as an editor counts them.
    file(&session, "id,note,n\na,\"x\ny\",1\nb,z,?\n").expect(65).says("4 of cells");
}

#[test]
fn values_are_of_their_types() {
    let session = plain();
    reads(
        &session,
        "id,n,x\na,5.0,2.10\nb,-3,1e3\nc,1e3,.5\nd,,\n",
        &["p,a,5,2.1,,,,", "p,b,-3,1000,,,,", "p,c,1000,0.5,,,,", "p,d,,,,,,"],
    );
    for (body, words) in [
        ("id,n\na,5.5\n", "5.5 is not an integer"),
        ("id,n\na,NaN\n", "\"NaN\" is not an integer"),
        ("id,n\na,99999999999999999999\n", "is not an integer"),
        ("id,n\na,\"1,234\"\n", "is not an integer"),
        ("id,n\na,\u{2212}2\n", "is not an integer"),
        ("id,x\na,NaN\n", "\"NaN\" is not a number"),
        ("id,x\na,inf\n", "is not a number"),
        ("id,x\na,1/2\n", "is not a number"),
        ("id,x\na,1e999\n", "is not a number"),
        ("id,word\na,seventh\n", "is longer than 6 characters"),
        ("id,day\na,16/08/2025\n", "is not a date like 2025-08-16"),
        ("id,day\na,2025-02-29\n", "is not a date"),
        ("id,at\na,2025-08-16T14:00:00\n", "an instant with an offset"),
        ("id,n\n,1\n", "column \"id\" of the key is empty"),
    ] {
        refuses(&session, body, words);
        file(&session, body).says("row 2 of cells");
    }
    reads(
        &session,
        "id,word,at\na,\u{e4}\u{f6}\u{fc}\u{df}\u{e9}\u{e8},2025-08-16T16:00:00+02:00\n",
        &["p,a,,,\u{e4}\u{f6}\u{fc}\u{df}\u{e9}\u{e8},,,2025-08-16T14:00:00.000Z"],
    );
}

#[test]
fn texts_become_values_by_rules() {
    let session = csv(
        "",
        "",
        "n = { from = \"state\", map = { won = \"3\", drawn = \"1\" }, otherwise = \"0\" }\n\
         x = { nulls = [\"-\", \"n/a\"] }\n\
         word = { map = { GKP = \"GK\", DEF = \"DEF\" }, nulls = [\"?\"] }\n\
         note = { from = \"score\", pattern = '^(\\d+)\\u2013\\d+$', prefix = \"home \" }\n",
    );
    let body = "id,state,x,word,score\na,won,1,GKP,2\u{2013}1\nb,lost,-,?,2-1\nc, drawn , n/a \
        ,,\nd,,2,DEF,10\u{2013}0\n";
    reads(&session, body, &["p,a,3,1,GK,home 2,,", "p,b,0,,,,,", "p,c,1,,,,,", "p,d,,2,DEF,home 10,,"]);
    refuses(
        &session,
        "id,state,x,word,score\na,won,1,XYZ,\n",
        "\"XYZ\" is none of DEF, GKP (add it to map, or say otherwise)",
    );
    // A value of a map is of its column's type, too.
    let session = csv("", "", "n = { from = \"state\", map = { won = \"three\" }, otherwise = \"none\" }");
    refuses(&session, "id,state\na,won\n", "\"three\" is not an integer");
    refuses(&session, "id,state\na,lost\n", "\"none\" is not an integer");
    // Also where there is nothing to be mapped.
    let session =
        csv("", "", "n = { from = \"state\", optional = true, map = { won = \"3\" }, otherwise = \"none\" }");
    refuses(&session, "id\na\n", "\"none\" is not an integer");
    let session =
        csv("", "", "n = { from = \"state\", optional = true, map = { won = \"3\" }, otherwise = \"0\" }");
    session.file("x.csv", "id\na\n");
    assert_eq!(wire(&session.ok("web-extract --source x x.csv"))[0]["rows"][0][2], 0);
}

#[test]
fn one_row_gives_several() {
    let session = csv(
        "",
        "least = 0\nneeds = [\"x\"]\n\
         each = [{ who = \"A\", col = \"AH\" }, { who = \"B\", col = \"BH\" }, { who = \"C\", col = \"CH\" }]",
        "id = { from = \"match\" }\nx = { from = \"{col}\", optional = true }\nnote = { value = \"by {who}\" }",
    );
    let ran = file(&session, "match,AH,BH\n1,1.5,2\n2,,3\n");
    ran.expect(0).says("3 rows, 3 left out");
    assert_eq!(rows(&ran), ["p,1,,1.5,,by A,,", "p,1,,2,,by B,,", "p,2,,3,,by B,,"]);
    // The tables of a list, one after the other.
    let list = session_of_a_list();
    list.file("x.csv", "h,a\nAshby,Brook\n");
    let told = wire(&list.ok("web-extract --source x x.csv"));
    assert_eq!(count(&told, "cells"), 2);
    let ids: Vec<&str> = told.iter().map(|line| line["rows"][0][1].as_str().unwrap()).collect();
    assert_eq!(ids, ["Ashby", "Brook"]);
}

fn session_of_a_list() -> Session {
    session(
        "[sources.x.extract]\nkind = \"csv\"\n\n[[sources.x.extract.tables.cells]]\ncolumns.place = { value \
            = \"h\" }\n\
         columns.id = { from = \"h\" }\n\n[[sources.x.extract.tables.cells]]\ncolumns.place = { value = \"a\" }\n\
         columns.id = { from = \"a\" }\n",
    )
}

#[test]
fn packed_files_are_opened() {
    let session = plain();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"id,n\na,1\n").unwrap();
    let packed = packed.finish().unwrap();
    session.file("x.csv.gz", &packed);
    assert_eq!(session.ok("web-extract --source x --format csv x.csv.gz"), format!("{HEADER}p,a,1,,,,,\n"));
    // A damaged one is bad input, and keeps no other back.
    session.file("x.csv", "id,n\nb,2\n");
    for damaged in [&packed[..packed.len() - 12], b"id,n\na,1\n"] {
        session.file("x.csv.gz", damaged);
        let ran = session.run("web-extract --source x --format csv x.csv.gz x.csv");
        ran.expect(65).says("x.csv.gz");
        assert_eq!(rows(&ran), ["p,b,2,,,,,"]);
    }
}

#[test]
fn files_say_what_they_are_in_their_names() {
    let sources = source("csv", "", "", "note = { value = \"{from}-{to} {division}\" }")
        .replace("file = \".*\"", "file = '^(?<from>\\d{4})-(?:20)?(?<to>\\d\\d)\\.csv$'");
    let session = session(&sources);
    let run =
        |files: &str| session.run(&format!("web-extract --source x --format csv --set division=E0 {files}"));
    for name in ["2024-25.csv", "sub/2025-2026.csv", "final.csv", "2025-26.csv.bak"] {
        session.file(name, "id\na\n");
    }
    let ran = run("2024-25.csv sub/2025-2026.csv");
    ran.expect(0).says("2 files: 2 rows");
    assert_eq!(rows(&ran), ["p,a,,,,2024-25 E0,,", "p,a,,,,2025-26 E0,,"]);
    // What is called otherwise is not read, and keeps no other back.
    let ran = run("final.csv 2025-26.csv.bak sub/2025-2026.csv");
    ran.expect(65).says("final.csv: files of x are not called so").says("2 of 3 files made no rows");
    assert_eq!(rows(&ran), ["p,a,,,,2025-26 E0,,"]);
    // What the user says counts more than the name.
    let ran = run("--set to=99 2024-25.csv");
    assert_eq!(rows(&ran), ["p,a,,,,2024-99 E0,,"]);
    // Stdin has no name.
    let ran = run("--set from=2001 --set to=02 < 2024-25.csv");
    assert_eq!(rows(&ran), ["p,a,,,,2001-02 E0,,"]);
    run("none-25.csv").expect(74).says("none-25.csv");
}

/// A CSV of more than 8 MiB.
fn long(rows: usize) -> String {
    let mut body = String::from("id,n,note\n");
    for number in 0..rows {
        body.push_str(&format!("i{number},{number},\"a note, which makes the row longer than it was\"\n"));
    }
    body
}

#[test]
fn a_long_file_is_the_same_in_blocks() {
    let session = plain();
    let body = long(200_000);
    assert!(body.len() > 9 << 20);
    session.file("x.csv", &body);
    session.file("answers.jsonl", lines(&[of_type(answer("x", 1, &body), "text/csv")]));
    session.run("web-extract --source x --format csv x.csv > blocks").expect(0).says("200,000 rows");
    session.ok("web-extract --format csv answers.jsonl | cmp - blocks");
    session.ok("taskset -c 0 web-extract --source x --format csv x.csv | cmp - blocks");
    session
        .ok("web-extract --source x x.csv > wire && taskset -c 0 web-extract --source x x.csv | cmp - wire");
    let told = wire(&session.read("wire"));
    assert!(told.len() > 2, "it was held as a whole: {} lines", told.len());
    assert_eq!(count(&told, "cells"), 200_000);
    // What it makes of ten times as many rows is larger than the memory that it gets.
    session.ok("{ cat x.csv; for i in 1 2 3 4 5 6 7 8 9; do tail -n +2 x.csv; done; } > ten.csv");
    let measured = "/usr/bin/time -f %M -o peak web-extract --source x ten.csv | wc -c";
    let written: u64 = session.ok(measured).trim().parse().unwrap();
    let peak: u64 = session.read("peak").trim().parse().unwrap();
    assert!(peak < 64 * 1024 && written > 2 * 64 * 1024 * 1024, "{peak} KiB for {written} bytes");
    session.ok("db-load migrate");
    session.run("web-extract --source x x.csv | db-load partitions").expect(0).says("200,000 new");
}

#[test]
fn what_is_wrong_late_in_a_long_file_is_told() {
    let session = plain();
    let body = long(200_000);
    for (what, line, words) in [
        ("a value", "bad,x,note\n", "row 200002 of cells: column \"n\": \"x\" is not an integer"),
        ("a width", "bad,1\n", "row 200002 of cells: 2 cells, but the header has 3"),
        ("a cut", "bad,1,note", "lacks its newline"),
    ] {
        session.file("x.csv", format!("{body}{line}"));
        let ran = session.run("web-extract --source x x.csv > wire");
        assert_eq!(ran.code, 65, "{what}: {ran}");
        ran.says(words);
        // Rows that stand for themselves are written as they come.
        assert!(count(&wire(&session.read("wire")), "cells") > 0, "{what}");
        if what != "a cut" {
            let ran = session.run("web-extract --source x x.csv --rejects rejects.csv > wire");
            ran.expect(0).says("200,000 rows").says("1 rejected");
            assert!(session.read("rejects.csv").contains("x.csv,cells,200002,"));
        }
    }
    // Windows-1252 in the last row is found there too, and two encodings are no encoding.
    let mut old = body.clone().into_bytes();
    old.extend(b"last,1,Alav\xe9s\n");
    session.file("x.csv", &old);
    let ran = session.run("web-extract --source x x.csv --format csv | tail -n 1");
    ran.expect(0).says("read as windows-1252");
    assert_eq!(ran.stdout, "p,last,1,,,Alav\u{e9}s,,\n");
    old.extend("both,1,\u{c5}lesund\n".bytes());
    session.file("x.csv", &old);
    session
        .run("web-extract --source x x.csv > wire")
        .expect(65)
        .says("some cells are UTF-8 and some cannot be");
    // A byte that the label does not know is bad input there too, and the next file is read.
    let labelled = with("encoding = \"utf-8\"");
    labelled.file("x.csv", [body.as_bytes(), b"last,1,Alav\xe9s\n"].concat());
    labelled.file("y.csv", "id,n\nnext,1\n");
    let ran = labelled.run("web-extract --source x --format csv x.csv y.csv | tail -n 1");
    ran.expect(65).says("x.csv: it is not UTF-8");
    assert_eq!(ran.stdout, "p,next,1,,,,,\n");
    // A file of which nothing makes a row is another one than its source says, however long it is; its rows are kept.
    let rejects = format!("id,n\n{}", "a,x\n".repeat(2_200_000));
    for body in [&rejects[..405], &rejects[..]] {
        session.file("x.csv", body);
        session
            .run("web-extract --source x x.csv --rejects rejects.csv")
            .expect(65)
            .says("at least 1 are expected");
        assert!(session.read("rejects.csv").lines().count() > 100);
    }
}

#[test]
fn a_long_file_fills_tables_that_are_replaced() {
    let schema = "[schema]\nsystem = \"cells\"\n\n[tables.a]\nkey = [\"place\", \"id\"]\npartition = \
        [\"place\"]\nwrite = \"replace\"\n\n\
                  [tables.a.columns]\nplace = \"text(8)\"\nid = \"text(16)\"\nn = \"integer\"\n\n\
                  [tables.b]\nkey = [\"place\", \"id\"]\npartition = [\"place\"]\nwrite = \"replace\"\n\n\
                  [tables.b.columns]\nplace = \"text(8)\"\nid = \"text(16)\"\nnote = \"text\"\n";
    let one = "[sources.x.extract]\nkind = \"csv\"\n[sources.x.extract.tables.a]\n";
    let mut body = String::from("place,id,n,note\n");
    for place in ["aa", "bb", "cc"] {
        for number in 0..70_000 {
            body.push_str(&format!("{place},i{number},{number},a note that makes the row long enough\n"));
        }
    }
    {
        let session = session(one);
        session.file("schema.toml", schema);
        session.file("x.csv", &body);
        session.ok("db-load migrate");
        session.run("web-extract --source x x.csv | db-load partitions").expect(0);
        assert_eq!(session.ok("db-query rows a | wc -l").trim(), "210001");
    }
    // A partition that comes back when its rows are written already cannot be put together again.
    let session = session(one);
    session.file("schema.toml", schema);
    session.file("x.csv", format!("{body}aa,last,1,x\n"));
    let ran = session.run("web-extract --source x x.csv > wire");
    ran.expect(65).says("aa").says("sort it by partition");
    // A cut leaves no partition that looks whole.
    session.file("x.csv", &body[..body.len() - 3]);
    session.run("web-extract --source x x.csv > wire").expect(65);
    let told = wire(&session.read("wire"));
    let mut cut = told.iter().filter(|line| line["key"]["place"] == "cc");
    assert!(cut.all(|line| line["part"].is_u64() && line["end"] != true), "cc looks whole");
}

#[test]
fn many_partitions_take_no_more_time_than_few() {
    // Each row is of another partition than the one before, and each partition comes back.
    let sources = "[sources.x]\nurl = \"https://api.example.org/\"\n[sources.x.extract]\nkind = \"csv\"\nlimits \
        = { seconds = 30 }\n\
                   [sources.x.extract.tables.cells]\n";
    let session = session(sources);
    let mut body = String::from("place,id,n\n");
    for number in 0..240_000 {
        body.push_str(&format!("p{},i{number},1\n", number % 60_000));
    }
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    session.run("web-extract answers.jsonl > wire").expect(0).says("240,000 rows");
    assert_eq!(session.ok("wc -l < wire").trim(), "60001");
}

#[test]
fn days_come_first_and_years_have_two_digits_or_four() {
    let session = seasons("day = { from = \"d\", date = [\"%d/%m/%y\", \"%d/%m/%Y\"], within = \"season\" }");
    let body = "season,home,d\n2024-25,a,01/09/24\n2024-25,b,1/9/2024\n1999-00,c,14/08/99\n1999-00,d,14/05/00\n\
                1993-94,e,14/08/93\n1993-94,f,14/05/1994\n1968-69,g,14/09/68\n2068-69,h,14/09/68\n2003-04,i,29/02/04\n\
                2019-20,j,26/07/20\n";
    let ran = file(&session, body);
    ran.expect(0).says("dates like 01/09/24");
    let days: Vec<&str> = rows(&ran).iter().map(|row| row.split(',').nth(4).unwrap()).collect();
    assert_eq!(
        days,
        [
            "2024-09-01",
            "2024-09-01",
            "1999-08-14",
            "2000-05-14",
            "1993-08-14",
            "1994-05-14",
            "1968-09-14",
            "2068-09-14",
            "2004-02-29",
            "2020-07-26"
        ]
    );
    for (row, words) in [
        ("1999-00,a,14/08/01", "2001-08-14 does not lie in 1999-00, from 1999-08-01 to 2000-07-31"),
        ("2024-25,a,14/08/2025", "2025-08-14 does not lie in 2024-25"),
        ("2024-25,a,31/07/24", "2024-07-31 does not lie in 2024-25"),
        ("2024-25,a,26/07/2026", "does not lie in"),
        ("2024-25,a,12/31/2024", "\"12/31/2024\" is not a date like 05/06/25 or 05/06/2025"),
        ("2024-25,a,31/09/2024", "is not a date"),
        ("2024-25,a,2024-09-01", "is not a date"),
        ("24-25,a,01/09/24", "\"24-25\" is not a season like 2025-26"),
        ("2024-26,a,01/09/24", "is not a season"),
        ("2024-25,a,tomorrow", "is not a date"),
    ] {
        let ran = file(&session, format!("season,home,d\n{row}\n"));
        ran.expect(65).says(words);
        assert_eq!(rows(&ran), [""; 0]);
    }
    // No day is an unknown day.
    let ran = file(&session, "season,home,d\n2024-25,a,\n");
    ran.expect(0);
    assert_eq!(rows(&ran), ["E0,2024-25,a,x,,,"]);
}

#[test]
fn a_day_outside_may_be_an_unknown_one() {
    let session = seasons(
        "day = { from = \"d\", date = [\"%Y-%m-%d\"], within = \"season\", outside = \"null\" }\n\
         kickoff = { from = \"d\", date = [\"%Y-%m-%d\"], time = \"t\", within = \"season\", outside = \"null\" }",
    );
    let ran = file(&session, "season,home,d,t\n2019-20,a,2019-07-04,20:15\n2019-20,b,2020-07-04,20:15\n");
    ran.expect(0).says("1 day outside of their season taken for unknown: 2019-07-04 (2019-20)");
    assert_eq!(rows(&ran), ["E0,2019-20,a,x,,,", "E0,2019-20,b,x,2020-07-04,2020-07-04T19:15:00.000Z,"]);
    // A day that ISO 8601 writes, and the day of an instant, must lie in it too.
    for (columns, header, cell) in [
        ("day = { within = \"season\" }", "day", "2010-09-01"),
        ("day = { day_of = \"kickoff\", within = \"season\" }", "kickoff", "2010-09-01T12:00:00Z"),
        ("kickoff = { within = \"season\" }", "kickoff", "2010-09-01T12:00:00Z"),
    ] {
        let ran = file(&seasons(columns), format!("season,home,{header}\n2024-25,a,{cell}\n"));
        ran.expect(65).says("2010-09-01 does not lie in 2024-25");
    }
}

#[test]
fn two_columns_read_the_same_text_each_in_its_own_way() {
    let session = seasons(
        "day = { from = \"d\", date = [\"%d/%m/%Y\"] }\nother = { from = \"e\", date = [\"%m/%d/%Y\"] }",
    );
    let ran = file(&session, "season,home,d,e\n2025-26,a,03/04/2026,03/04/2026\n");
    ran.expect(0);
    assert_eq!(rows(&ran), ["E0,2025-26,a,x,2026-04-03,,2026-03-04"]);
}

#[test]
fn times_are_those_of_the_zone_and_unknown_ones_stay_unknown() {
    let session = seasons(
        "day = { from = \"d\", date = [\"%d/%m/%Y\"], within = \"season\" }\n\
         kickoff = { from = \"d\", date = [\"%d/%m/%Y\"], time = \"t\", within = \"season\", nulls = [\"TBC\"], \
         optional = true }",
    );
    let ran = file(
        &session,
        "season,home,d,t\n2025-26,a,16/08/2025,15:00\n2025-26,b,01/12/2025,19.45\n2025-26,c,01/12/2025,9:05:30\n\
         2025-26,d,16/08/2025,\n2025-26,e,16/08/2025,TBC\n2025-26,f,,15:00\n\
         2025-26,g,26/10/2025,00:59\n2025-26,h,26/10/2025,02:00\n",
    );
    ran.expect(0);
    let kickoffs: Vec<&str> = rows(&ran).iter().map(|row| row.split(',').nth(5).unwrap()).collect();
    assert_eq!(
        kickoffs,
        [
            "2025-08-16T14:00:00.000Z",
            "2025-12-01T19:45:00.000Z",
            "2025-12-01T09:05:30.000Z",
            "",
            "",
            "",
            "2025-10-25T23:59:00.000Z",
            "2025-10-26T02:00:00.000Z"
        ]
    );
    for (cells, words) in [
        ("26/10/2025,01:30", "2025-10-26T01:30:00 is skipped by the clock there, or shown twice"),
        ("29/03/2026,01:30", "2026-03-29T01:30:00 is skipped by the clock there, or shown twice"),
        ("16/08/2025,24:00", "\"24:00\" is not a time like 15:30"),
        ("16/08/2025,3pm", "is not a time"),
        ("16/08/2025,15", "is not a time"),
    ] {
        file(&session, format!("season,home,d,t\n2025-26,a,{cells}\n")).expect(65).says(words);
    }
    // A file without times has days.
    let ran = file(&session, "season,home,d\n2025-26,a,16/08/2025\n");
    ran.expect(0);
    assert_eq!(rows(&ran), ["E0,2025-26,a,x,2025-08-16,,"]);
}

#[test]
fn the_day_of_an_instant_is_the_zones() {
    let session = seasons("day = { day_of = \"kickoff\", within = \"season\" }");
    let ran = file(
        &session,
        "season,home,kickoff\n2030-31,a,2030-10-12T22:59:59Z\n2030-31,b,2030-10-12T23:00:00Z\n\
         2030-31,c,2030-12-12T23:59:59Z\n\
         2030-31,d,2030-12-13T08:30:00+09:00\n2030-31,e,2030-07-31T23:30:00Z\n2030-31,f,\n",
    );
    ran.expect(0);
    let days: Vec<&str> = rows(&ran).iter().map(|row| row.split(',').nth(4).unwrap()).collect();
    assert_eq!(days, ["2030-10-12", "2030-10-13", "2030-12-12", "2030-12-12", "2030-08-01", ""]);
}
