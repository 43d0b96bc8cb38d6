//! What an answer of the `rounds` endpoint means, in every shape that was seen.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rows::Members;
use schema::Value;
use serde_json::value::RawValue;

use crate::columns::{DG_ID, ROUND_NUM, Round};
use crate::event::{Event, Listed};
use crate::identity::Identity;
use crate::players::{Player, Scores};
use crate::whole_number::{maybe_whole_number, whole_number};

/// One event of an answer.
pub(crate) enum Found {
    /// It is there, with rounds.
    Event(Box<Event>),
    /// There is an answer, but it has no rounds; in DataGolf's words where it used any.
    NoRounds(String),
}

/// The events of an answer to `event_id=all`, still as text: by identity, so that one is parsed at a time.
pub(crate) type Season<'a> = BTreeMap<i64, &'a RawValue>;

/// Splits an answer to `event_id=all`: an object keyed by event id, a list, or a single event.
pub(crate) fn season<'a>(body: &'a [u8]) -> Result<Season<'a>, String> {
    let not_json = |error: serde_json::Error| format!("the answer is not what it should be: {error}");
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    // What is no event (a message beside the events) is left out: whoever misses it asks for it alone.
    if text.trim_start().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
        return once(list.into_iter().filter_map(|value| Some((id_of(value)?, value))));
    }
    let Members(object) = serde_json::from_str::<Members<&RawValue>>(text).map_err(not_json)?;
    if object.iter().any(|(key, _)| key == "scores") {
        let single: &RawValue = serde_json::from_str(text).map_err(not_json)?;
        return Ok(id_of(single).map(|id| (id, single)).into_iter().collect());
    }
    // The key is believed here, and whoever reads the event checks its id: looking for it in the text would be one more
    // way through everything.
    let by_key = |(key, value): (String, &'a RawValue)| {
        let id = key.parse().ok().or_else(|| id_of(value))?;
        value.get().starts_with('{').then_some((id, value))
    };
    once(object.into_iter().filter_map(by_key))
}

/// Events by identity. Of two of the same one cannot be believed.
fn once<'a>(events: impl Iterator<Item = (i64, &'a RawValue)>) -> Result<Season<'a>, String> {
    let mut season = Season::new();
    for (id, event) in events {
        if season.insert(id, event).is_some() {
            return Err(format!("event {id} stands twice in the answer"));
        }
    }
    Ok(season)
}

/// The id inside an event whose place does not tell it.
fn id_of(event: &RawValue) -> Option<i64> {
    serde_json::from_str::<OnlyId>(event.get()).ok().map(|only| only.event_id)
}

/// Reads one event and checks that it is the one that was asked for. `Err` says what is wrong with the answer.
pub(crate) fn event(text: &str, wanted: &Identity) -> Result<Found, String> {
    if text.trim().is_empty() || text.trim() == "null" {
        return Ok(Found::NoRounds("the answer is empty".to_owned()));
    }
    // A sentence where the event belongs.
    if let Ok(words) = serde_json::from_str::<String>(text) {
        return Ok(Found::NoRounds(words));
    }
    let answer: RawEvent<'_> =
        serde_json::from_str(text).map_err(|error| format!("not an event: {error}"))?;
    let players = match answer.scores {
        Scores::Players(players) if players.iter().any(|player| !player.rounds.is_empty()) => players,
        Scores::Players(_) => return Ok(Found::NoRounds("the answer has no scores".to_owned())),
        Scores::Words(words) => return Ok(Found::NoRounds(words)),
    };
    let (tour, year, id) = (answer.tour.as_deref(), answer.year, answer.event_id);
    let is_wanted = id == Some(wanted.event_id) && year == Some(wanted.calendar_year);
    if !is_wanted || tour.is_some_and(|tour| tour != wanted.tour) {
        return Err(format!("the answer is about {}/{year:?}/{id:?}", tour.unwrap_or("?")));
    }
    if !clock::is_date(answer.event_completed.as_bytes()) {
        return Err(format!("event_completed {:?} is not like 2025-06-15", answer.event_completed));
    }
    let mut event = Event {
        identity: wanted.clone(),
        listed: Listed {
            event_name: answer.event_name.into_owned(),
            event_completed: answer.event_completed.into_owned(),
            sg_categories: answer.sg_categories.into_owned(),
            traditional_stats: answer.traditional_stats.into_owned(),
        },
        season: answer.season,
        unavailable: None,
        rounds: Vec::new(),
    };
    event.rounds = rounds(&event, players);
    event.check()?;
    Ok(Found::Event(Box::new(event)))
}

/// Places of what an answer says once for an event or for a player.
const COMMON: [usize; 10] = [
    Round::place("tour"),
    Round::place("year"),
    Round::place("season"),
    Round::place("event_completed"),
    Round::place("event_name"),
    Round::place("event_id"),
    Round::place("player_name"),
    DG_ID,
    Round::place("fin_text"),
    ROUND_NUM,
];

/// Flattens players into rounds, in the order of the key.
fn rounds(event: &Event, players: Vec<Player>) -> Vec<Round> {
    let mut rounds = Vec::new();
    for player in players {
        for (number, mut round) in player.rounds {
            let common = [
                Value::from(event.identity.tour.as_str()),
                Value::Integer(event.identity.calendar_year),
                Value::from(event.season),
                Value::from(event.listed.event_completed.as_str()),
                Value::from(event.listed.event_name.as_str()),
                Value::Integer(event.identity.event_id),
                Value::from(player.name.clone()),
                Value::Integer(player.dg_id),
                Value::from(player.fin_text.clone()),
                Value::Integer(number),
            ];
            for (at, cell) in COMMON.into_iter().zip(common) {
                round.0[at] = cell;
            }
            rounds.push(round);
        }
    }
    rounds.sort_by_key(|Round(cells)| (cells[DG_ID].integer(), cells[ROUND_NUM].integer()));
    rounds
}

#[derive(serde::Deserialize)]
struct OnlyId {
    #[serde(deserialize_with = "whole_number")]
    event_id: i64,
}

#[derive(serde::Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow, default)]
    event_completed: Cow<'a, str>,
    #[serde(default, deserialize_with = "maybe_whole_number")]
    event_id: Option<i64>,
    #[serde(borrow, default)]
    event_name: Cow<'a, str>,
    #[serde(borrow, default)]
    tour: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "maybe_whole_number")]
    year: Option<i64>,
    #[serde(default, deserialize_with = "maybe_whole_number")]
    season: Option<i64>,
    #[serde(borrow, default)]
    sg_categories: Cow<'a, str>,
    #[serde(borrow, default)]
    traditional_stats: Cow<'a, str>,
    #[serde(default)]
    scores: Scores,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_comes_in_several_shapes() {
        let ids = |text: &str| season(text.as_bytes()).map(|season| season.into_keys().collect::<Vec<_>>());
        let event = r#"{"event_name": "Open", "scores": [], "event_id": "14"}"#;
        assert_eq!(ids(&format!(r#"{{"14": {event}, "message": "ok", "3": "no data"}}"#)), Ok(vec![14]));
        assert_eq!(ids(&format!(r#"{{"first": {event}}}"#)), Ok(vec![14]));
        assert_eq!(ids(&format!("[{event}, {{}}]")), Ok(vec![14]));
        assert_eq!(ids(event), Ok(vec![14]));
        assert!(ids("\"no data\"").is_err() && ids("").is_err());
        assert!(ids(&format!(r#"{{"14": {event}"#)).is_err(), "cut");
    }

    #[test]
    fn an_event_under_the_wrong_key_is_not_believed() {
        let season =
            season(br#"{"3": {"event_id": 14, "year": 2025, "scores": [{"dg_id": 1, "round_1": {}}]}}"#);
        let wanted = Identity::new("pga", 2025, 3).unwrap();
        let reason = event(season.unwrap()[&3].get(), &wanted).err();
        assert_eq!(reason.as_deref(), Some("the answer is about ?/Some(2025)/Some(14)"));
    }

    #[test]
    fn names_may_come_in_any_order_and_unknown_ones_are_passed_over() {
        let text = r#"{"event_id": 3, "year": 2025, "event_completed": "2025-06-15", "scores": [{"round_2":
            {"teetime": "7:30am", "new": [1], "gir": 1, "score": 70, "birdies": 4.0}, "round_x": 1, "dg_id": "7"}]}"#;
        let Ok(Found::Event(event)) = event(text, &Identity::new("pga", 2025, 3).unwrap()) else {
            panic!("it is an event");
        };
        let text = |column: &str| event.rounds[0].0[Round::place(column)].to_text();
        let columns = ["tour", "dg_id", "round_num", "round_score", "birdies", "gir", "teetime", "sg_putt"];
        assert_eq!(columns.map(text), ["pga", "7", "2", "70", "4", "1", "7:30am", ""]);
        for (name, at) in crate::players::STATS {
            assert_eq!(crate::columns::COLUMNS[at].0.trim_start_matches("round_"), name);
        }
    }
}
