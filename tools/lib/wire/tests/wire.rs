//! What goes over the wire comes back, and what is wrong with a line is said.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use wire::{COLUMNS, Cell, Event, Identity, Kind, Round};

fn round(player: i64, number: i64) -> Round {
    let mut round = Round::empty();
    for (column, value) in [("year", 2025), ("event_id", 14), ("dg_id", player), ("round_num", number)] {
        round.set(column, Cell::Int(value)).unwrap();
    }
    round.set("tour", Cell::from("pga")).unwrap();
    round.set("sg_total", Cell::Real(0.1 + 0.2)).unwrap();
    round
}

fn event(rounds: Vec<Round>) -> Event {
    Event {
        v: wire::EVENT_V1.to_owned(),
        tour: "pga".to_owned(),
        calendar_year: 2025,
        event_id: 14,
        event_name: "83° & “Sons”, Göteborg ".to_owned(),
        event_completed: "2025-04-13".to_owned(),
        season: Some(2025),
        sg_categories: "yes".to_owned(),
        traditional_stats: "yes".to_owned(),
        unavailable: None,
        n_rounds: rounds.len(),
        rounds,
    }
}

#[test]
fn an_event_comes_back_bit_for_bit() {
    let event = event(vec![round(1, 1), round(1, 2)]);
    let line = serde_json::to_vec(&event).unwrap();
    assert_eq!(Event::from_line(&line).unwrap(), event);
}

#[test]
fn the_hash_is_of_content_not_of_order() {
    let (one, two) = (event(vec![round(1, 1), round(1, 2)]), event(vec![round(1, 2), round(1, 1)]));
    assert_eq!(one.content_sha256(), two.content_sha256());
    let mut other = round(1, 2);
    other.set("fin_text", Cell::from("")).unwrap();
    assert_ne!(one.content_sha256(), event(vec![round(1, 1), other]).content_sha256());
}

#[test]
fn what_is_wrong_is_said() {
    let said = |event: &Event| Event::from_line(&serde_json::to_vec(event).unwrap()).unwrap_err();
    let mut short = event(vec![round(1, 1), round(1, 2)]);
    short.rounds.pop();
    assert_eq!(said(&short), "pga/2025/14: n_rounds says 2, but 1 follow");
    assert_eq!(said(&event(vec![round(1, 1), round(1, 1)])), "pga/2025/14: player 1 has round 1 twice");
    let apart = event(vec![round(2, 1), round(1, 1), round(2, 1)]);
    assert_eq!(said(&apart), "pga/2025/14: player 2 has round 1 twice");
    assert!(Event::from_line(b"{\"v\":\"\xff\"}").unwrap_err().contains("not a wire record"));
    assert!(said(&event(vec![])).contains("either rounds or a reason"));
    let mut other = round(1, 1);
    other.set("year", Cell::Int(2024)).unwrap();
    assert!(said(&event(vec![other])).contains("another event"));
    let version = Event { v: "fairway.event/2".to_owned(), ..event(vec![round(1, 1)]) };
    assert!(said(&version).contains("fairway.event/1"));
    assert!(Event::from_line(b"[]").unwrap_err().contains("not a wire record"));
}

#[test]
fn rounds_may_name_their_columns_in_any_order_but_all_of_them() {
    let whole = serde_json::to_string(&round(1, 1)).unwrap();
    let others = whole.replacen("\"tour\":\"pga\",", "", 1);
    let last = format!("{},\"tour\":\"pga\"}}", others.strip_suffix('}').unwrap());
    assert_eq!(serde_json::from_str::<Round>(&last).unwrap(), round(1, 1));
    let said = |text: &str| serde_json::from_str::<Round>(text).unwrap_err().to_string();
    assert!(said(&others).contains("lacks \"tour\""));
    assert!(said(&whole.replacen("\"year\"", "\"tour\"", 1)).contains("\"tour\" stands twice"));
    assert!(said(&whole.replacen("\"year\"", "\"yaer\"", 1)).contains("\"yaer\" is no column"));
}

#[test]
fn cells_take_the_kind_of_their_column() {
    let mut round = Round::empty();
    round.set("round_score", Cell::Real(69.0)).unwrap();
    assert_eq!(round.cell("round_score"), &Cell::Int(69));
    round.set("gir", Cell::Int(1)).unwrap();
    assert_eq!(round.cell("gir"), &Cell::Real(1.0));
    assert!(round.set("round_score", Cell::Real(69.5)).is_err());
    assert!(round.set("gir", Cell::from("0.5")).is_err());
    assert!(round.set("bogeys", Cell::Int(1)).is_err());
    assert_eq!(COLUMNS.iter().filter(|(_, kind)| *kind == Kind::Real).count(), 12);
}

#[test]
fn identities_are_plain() {
    assert_eq!("pga/2025/14".parse::<Identity>().unwrap().to_string(), "pga/2025/14");
    assert_eq!(
        "pga/2025/14".parse::<Identity>().unwrap().object_key(),
        "training_data/event_data_2025_pga_14.csv"
    );
    for bad in [
        "pga/2025",
        "pga/2025/x",
        "../2025/1",
        "PGA/2025/1",
        "pga/20/1",
        "pga/2025/-1",
        "pga/2025/1/2",
        "a,b/2025/1",
    ] {
        assert!(bad.parse::<Identity>().is_err(), "{bad}");
    }
}

/// The hash stands in databases: another value would make every stored event look changed.
#[test]
fn the_hash_of_an_event_never_changes() {
    let hashes: Vec<String> = include_str!("../test_data/events.jsonl")
        .lines()
        .map(|line| Event::from_line(line.as_bytes()).unwrap().content_sha256())
        .collect();
    let pinned = [
        "c054cd3c5067aa57447fc2378022a6b864fda9c4213f17b31251e2d002029d15",
        "492b2928b22083eda7bb9c5245bdc577c07c6433ded3f2ebcd26840fa007e218",
        "629c4caf985df59a95d0e5c8b906955f35e78e91784381963b28444a2bde671f",
    ];
    assert_eq!(hashes, pinned);
}

/// What was written is written again, byte for byte.
#[test]
fn a_line_comes_back_byte_for_byte() {
    for line in include_str!("../test_data/events.jsonl").lines() {
        let event = Event::from_line(line.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}
