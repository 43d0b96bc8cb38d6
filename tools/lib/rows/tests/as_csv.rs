//! A table cuts its rows and cells where the `csv` crate does, whatever the bytes and however they come.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{self, Read};

use proptest::prelude::*;
use rows::{Block, Ending, Table, Walk};

/// The line on which it begins, and its cells.
type Found = (u64, Vec<Vec<u8>>);

const HEADER: &[u8] = b"header\n";

/// Hands out `bytes` in reads of these sizes, over and over.
struct Dribble<'a> {
    bytes: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = (*self.sizes.next().unwrap()).min(buffer.len());
        self.bytes.read(&mut buffer[..size])
    }
}

fn dribble<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> Dribble<'a> {
    Dribble { bytes, sizes: sizes.iter().cycle() }
}

fn by_csv(bytes: &[u8]) -> Vec<Found> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut found = Vec::new();
    for record in reader.byte_records().skip(1) {
        let record = record.unwrap();
        // csv's own line is that of the line end before the row, if that is CR LF, and of blank lines before it.
        let from = record.position().unwrap().byte() as usize;
        let begin = from + bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let line = 1 + bytes[..begin].iter().filter(|&&byte| byte == b'\n').count();
        found.push((line as u64, record.iter().map(<[u8]>::to_vec).collect()));
    }
    found
}

fn by_table(bytes: &[u8], sizes: &[usize]) -> Vec<Found> {
    let mut table = Table::open("x", dribble(bytes, sizes), Ending::Any).unwrap();
    let mut found = Vec::new();
    while let Some(row) = table.next_row_or_reject().unwrap() {
        let row = row.unwrap_or_else(|(ragged, _)| ragged);
        assert_eq!(row.cells().count(), row.len());
        found.push((row.line, row.cells().map(<[u8]>::to_vec).collect()));
    }
    found
}

/// With `wanted` cells at least whose places are remembered.
fn by_blocks(bytes: &[u8], sizes: &[usize], wanted: usize) -> Vec<Found> {
    let mut blocks = Table::open("x", dribble(bytes, sizes), Ending::Any).unwrap().into_blocks();
    let (mut found, mut spare) = (Vec::new(), Block::default());
    while let Some(block) = blocks.next_block(spare).unwrap() {
        let mut walk = Walk::over(block).wanting(wanted);
        while let Some(row) = walk.next_row() {
            let cells: Vec<&[u8]> = row.cells().collect();
            assert!((0..row.len()).all(|at| row.cell(at) == cells[at]) && cells.len() == row.len());
            assert_eq!(row.cell(row.len()), b"");
            found.push((row.line, (0..row.len()).map(|at| row.cell(at).to_vec()).collect()));
        }
        spare = walk.start(Block::default());
    }
    found
}

fn check(rows: &[u8], sizes: &[usize]) {
    let bytes = [HEADER, rows].concat();
    let expected = by_csv(&bytes);
    assert_eq!(by_table(&bytes, sizes), expected, "{}", bytes.escape_ascii());
    for wanted in [usize::MAX, 0, 1, 3, 70] {
        assert_eq!(by_blocks(&bytes, sizes, wanted), expected, "{wanted} of {}", bytes.escape_ascii());
    }
}

/// Any order of the bytes that mean something, with text that moves them to every place of a chunk.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(",".to_owned()),
        3 => Just("\"".to_owned()),
        2 => Just("\n".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\r\n".to_owned()),
        2 => "[ax]{1,3}",
        1 => "[ax]{20,70}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Rows as programs write them, and now and then a byte that does not belong there.
fn nearly_clean() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof![
        8 => "[a-c0-9.]{0,9}",
        2 => "\"[a-c, ]{0,20}\"",
        1 => "\"[a-c,\r\n]{0,90}\"",
        1 => "\"([a-c,\n]{0,5}\"\"){1,2}[ab]{0,5}\"",
    ];
    let row =
        (prop::collection::vec(cell, 1..9), prop_oneof![9 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")])
            .prop_map(|(cells, end)| cells.join(",") + end);
    let stray = (any::<prop::sample::Index>(), prop::sample::select(b",\"\n\ra".to_vec()));
    (prop::collection::vec(row, 0..30), prop::collection::vec(stray, 0..3)).prop_map(|(rows, strays)| {
        let mut bytes = rows.concat().into_bytes();
        for (at, byte) in strays {
            let at = at.index(bytes.len() + 1);
            bytes.insert(at, byte);
        }
        bytes
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..5usize, 1..100usize, Just(1_000_000)], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(rows in anything(), sizes in sizes()) {
        check(&rows, &sizes);
    }

    #[test]
    fn nearly_clean_rows(rows in nearly_clean(), sizes in sizes()) {
        check(&rows, &sizes);
    }
}

#[test]
fn every_short_text_of_the_bytes_that_mean_something() {
    let bytes = b"a,\"\n\r";
    for length in 0..=5u32 {
        for n in 0..5usize.pow(length) {
            let rows: Vec<u8> = (0..length).map(|digit| bytes[n / 5usize.pow(digit) % 5]).collect();
            check(&rows, &[1]);
            check(&rows, &[1_000_000]);
        }
    }
}

#[test]
fn every_place_of_a_quoted_cell_in_a_chunk() {
    for before in 0..140 {
        for quoted in ["\"x,\ny\"", "\"\"", "\"a\"\"b\"", "\"ab", "a\"b"] {
            let text = "z".repeat(before);
            for rest in ["", "\n", ",b\nc,d\n", "\r\nc,d\r\n", "x\n\"c\",d\n"] {
                check(format!("{text},{quoted}{rest}").as_bytes(), &[1_000_000]);
                check(format!("{text}\n{quoted}{rest}").as_bytes(), &[7]);
            }
        }
    }
}

#[test]
fn a_byte_order_mark_is_text_after_the_header() {
    for row in ["\u{feff}a,b\n", "\u{feff}a\"b,c\n", "\u{feff}\"a\",c\n", "a,\u{feff}\n"] {
        check(row.as_bytes(), &[1_000_000]);
        check(format!("1,2\n{row}{row}").as_bytes(), &[3, 100]);
    }
}

#[test]
fn rows_longer_than_a_block() {
    let long = "y".repeat(700_000);
    for row in [format!("a,{long}"), format!("\"{long}\n\"\"{long}\",b"), format!("a\"b,\"{long}\n{long}\"")]
    {
        check(format!("1,2\n{row}\n3,4\n\"5\",6\n").as_bytes(), &[65_536, 100]);
    }
}
