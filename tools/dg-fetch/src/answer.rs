//! What an answer of the `rounds` endpoint means, in every shape that was seen.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wire::{Cell, EVENT_V1, Event, Identity, Round};

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
pub(crate) fn season(body: &[u8]) -> Result<Season<'_>, String> {
    let not_json = |error: serde_json::Error| format!("the answer is not what it should be: {error}");
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let mut values: Vec<&RawValue> = Vec::new();
    if text.trim_start().starts_with('[') {
        values = serde_json::from_str(text).map_err(not_json)?;
    } else {
        let object: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
        if object.contains_key("scores") {
            values.push(serde_json::from_str(text).map_err(not_json)?);
        } else {
            values.extend(object.into_values());
        }
    }
    // What is no event (a message beside the events) is left out: whoever misses it asks for it alone.
    let id = |value: &RawValue| serde_json::from_str::<OnlyId>(value.get()).ok().map(|only| only.event_id);
    Ok(values.into_iter().filter_map(|value| Some((id(value)?, value))).collect())
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
    if !is_iso_date(&answer.event_completed) {
        return Err(format!("event_completed {:?} is not like 2025-06-15", answer.event_completed));
    }
    let mut event = Event {
        v: EVENT_V1.to_owned(),
        tour: wanted.tour.clone(),
        calendar_year: wanted.calendar_year,
        event_id: wanted.event_id,
        event_name: answer.event_name.into_owned(),
        event_completed: answer.event_completed.into_owned(),
        season: answer.season,
        sg_categories: answer.sg_categories.into_owned(),
        traditional_stats: answer.traditional_stats.into_owned(),
        unavailable: None,
        n_rounds: 0,
        rounds: Vec::new(),
    };
    event.rounds = rounds(&event, players)?;
    event.n_rounds = event.rounds.len();
    event.check()?;
    Ok(Found::Event(Box::new(event)))
}

/// Flattens players into rounds, in the order of the key.
fn rounds(event: &Event, players: Vec<Player>) -> Result<Vec<Round>, String> {
    let mut rounds = Vec::new();
    for player in players {
        for (number, mut round) in player.rounds {
            let common = [
                ("tour", Cell::from(event.tour.as_str())),
                ("year", Cell::Int(event.calendar_year)),
                ("season", Cell::from(event.season)),
                ("event_completed", Cell::from(event.event_completed.as_str())),
                ("event_name", Cell::from(event.event_name.as_str())),
                ("event_id", Cell::Int(event.event_id)),
                ("player_name", Cell::from(player.name.clone())),
                ("dg_id", Cell::Int(player.dg_id)),
                ("fin_text", Cell::from(player.fin_text.clone())),
                ("round_num", Cell::Int(number)),
            ];
            for (column, cell) in common {
                round.set(column, cell)?;
            }
            rounds.push(round);
        }
    }
    rounds.sort_by_key(|round| (round.cell("dg_id").int(), round.cell("round_num").int()));
    Ok(rounds)
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

/// A list of players; or words, where there is no data.
enum Scores {
    Players(Vec<Player>),
    Words(String),
}

impl Default for Scores {
    fn default() -> Scores {
        Scores::Players(Vec::new())
    }
}

struct Player {
    dg_id: i64,
    name: Option<String>,
    fin_text: Option<String>,
    rounds: Vec<(i64, Round)>,
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scores, D::Error> {
        struct ScoresVisitor;

        impl<'de> Visitor<'de> for ScoresVisitor {
            type Value = Scores;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of players, or words")
            }

            fn visit_str<E: de::Error>(self, words: &str) -> Result<Scores, E> {
                Ok(Scores::Words(words.to_owned()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scores, E> {
                Ok(Scores::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scores, A::Error> {
                let mut players = Vec::with_capacity(list.size_hint().unwrap_or(160));
                while let Some(player) = list.next_element()? {
                    players.push(player);
                }
                Ok(Scores::Players(players))
            }
        }

        deserializer.deserialize_any(ScoresVisitor)
    }
}

impl<'de> Deserialize<'de> for Player {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Player, D::Error> {
        struct PlayerVisitor;

        impl<'de> Visitor<'de> for PlayerVisitor {
            type Value = Player;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a player with rounds")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Player, A::Error> {
                let mut dg_id = None;
                let mut player =
                    Player { dg_id: 0, name: None, fin_text: None, rounds: Vec::with_capacity(4) };
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match &*key {
                        "dg_id" => dg_id = Some(map.next_value::<WholeNumber>()?.0),
                        "player_name" => player.name = map.next_value()?,
                        "fin_text" => player.fin_text = map.next_value()?,
                        key => match key.strip_prefix("round_").and_then(|number| number.parse().ok()) {
                            Some(number) => {
                                if let Some(ApiRound(round)) = map.next_value()? {
                                    player.rounds.push((number, round));
                                }
                            }
                            // What DataGolf adds one day is no reason to stop.
                            None => drop(map.next_value::<IgnoredAny>()?),
                        },
                    }
                }
                player.dg_id = dg_id.ok_or_else(|| de::Error::missing_field("dg_id"))?;
                Ok(player)
            }
        }

        deserializer.deserialize_map(PlayerVisitor)
    }
}

/// A round under DataGolf's names: `score` is our `round_score`, absent keys stay null.
struct ApiRound(Round);

impl<'de> Deserialize<'de> for ApiRound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ApiRound, D::Error> {
        struct RoundVisitor;

        impl<'de> Visitor<'de> for RoundVisitor {
            type Value = ApiRound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a round")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ApiRound, A::Error> {
                let mut round = Round::empty();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    let column = if key == "score" { "round_score" } else { &*key };
                    if Round::position(column).is_some() {
                        round.set(column, map.next_value()?).map_err(de::Error::custom)?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(ApiRound(round))
            }
        }

        deserializer.deserialize_map(RoundVisitor)
    }
}

/// An integer that may come as text: `event_id` does in one endpoint and not in the other.
struct WholeNumber(i64);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WholeNumber, D::Error> {
        whole_number(deserializer).map(WholeNumber)
    }
}

pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = match Cell::deserialize(deserializer)? {
        Cell::Int(value) => Some(value),
        Cell::Real(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Real(_) | Cell::Null => None,
    };
    number.ok_or_else(|| de::Error::custom("expected a whole number"))
}

fn maybe_whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<WholeNumber>::deserialize(deserializer)?.map(|number| number.0))
}

/// Whether a date is like 2025-06-15 and exists.
pub(crate) fn is_iso_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}
