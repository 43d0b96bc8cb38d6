//! Players and their rounds as DataGolf writes them.

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::columns::Round;
use crate::whole_number::WholeNumber;
/// The names of a round in the order in which they come (sorted), and the columns that they are. Only the order is
/// relied on, and only for speed.
pub(crate) const STATS: [(&str, usize); 25] = [
    ("birdies", Round::place("birdies")),
    ("bogies", Round::place("bogies")),
    ("course_name", Round::place("course_name")),
    ("course_num", Round::place("course_num")),
    ("course_par", Round::place("course_par")),
    ("doubles_or_worse", Round::place("doubles_or_worse")),
    ("driving_acc", Round::place("driving_acc")),
    ("driving_dist", Round::place("driving_dist")),
    ("eagles_or_better", Round::place("eagles_or_better")),
    ("gir", Round::place("gir")),
    ("great_shots", Round::place("great_shots")),
    ("pars", Round::place("pars")),
    ("poor_shots", Round::place("poor_shots")),
    ("prox_fw", Round::place("prox_fw")),
    ("prox_rgh", Round::place("prox_rgh")),
    ("score", Round::place("round_score")),
    ("scrambling", Round::place("scrambling")),
    ("sg_app", Round::place("sg_app")),
    ("sg_arg", Round::place("sg_arg")),
    ("sg_ott", Round::place("sg_ott")),
    ("sg_putt", Round::place("sg_putt")),
    ("sg_t2g", Round::place("sg_t2g")),
    ("sg_total", Round::place("sg_total")),
    ("start_hole", Round::place("start_hole")),
    ("teetime", Round::place("teetime")),
];

/// A list of players; or words, where there is no data.
pub(crate) enum Scores {
    Players(Vec<Player>),
    Words(String),
}

impl Default for Scores {
    fn default() -> Scores {
        Scores::Players(Vec::new())
    }
}

/// Whose rounds they are.
pub(crate) struct Player {
    pub(crate) dg_id: i64,
    pub(crate) name: Option<String>,
    pub(crate) fin_text: Option<String>,
    pub(crate) rounds: Vec<(i64, Round)>,
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
                while let Some(key) = map.next_key()? {
                    match key {
                        PlayerKey::DgId if dg_id.is_some() => {
                            return Err(de::Error::duplicate_field("dg_id"));
                        }
                        PlayerKey::DgId => dg_id = Some(map.next_value::<WholeNumber>()?.0),
                        PlayerKey::Name if player.name.is_some() => {
                            return Err(de::Error::duplicate_field("player_name"));
                        }
                        PlayerKey::Name => player.name = map.next_value()?,
                        PlayerKey::FinText if player.fin_text.is_some() => {
                            return Err(de::Error::duplicate_field("fin_text"));
                        }
                        PlayerKey::FinText => player.fin_text = map.next_value()?,
                        PlayerKey::Round(number) => {
                            if let Some(ApiRound(round)) = map.next_value()? {
                                if player.rounds.iter().any(|(other, _)| *other == number) {
                                    return Err(de::Error::custom(format_args!(
                                        "round_{number} stands twice"
                                    )));
                                }
                                player.rounds.push((number, round));
                            }
                        }
                        // What DataGolf adds one day is no reason to stop.
                        PlayerKey::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                player.dg_id = dg_id.ok_or_else(|| de::Error::missing_field("dg_id"))?;
                Ok(player)
            }
        }

        deserializer.deserialize_map(PlayerVisitor)
    }
}

/// What stands in a player.
enum PlayerKey {
    DgId,
    Name,
    FinText,
    Round(i64),
    Other,
}

impl<'de> Deserialize<'de> for PlayerKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PlayerKey, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = PlayerKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<PlayerKey, E> {
                Ok(match key {
                    "dg_id" => PlayerKey::DgId,
                    "player_name" => PlayerKey::Name,
                    "fin_text" => PlayerKey::FinText,
                    _ => key
                        .strip_prefix("round_")
                        .and_then(|number| number.parse().ok())
                        .map_or(PlayerKey::Other, PlayerKey::Round),
                })
            }
        }

        deserializer.deserialize_str(KeyVisitor)
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
                let (mut due, mut seen) = (0, 0_u128);
                while let Some(name) = map.next_key_seed(Stat { due })? {
                    due = name.due;
                    match name.at {
                        Some(at) if seen & (1 << at) != 0 => {
                            return Err(de::Error::custom("a value of a round stands twice"));
                        }
                        Some(at) => {
                            seen |= 1 << at;
                            round.set_at(at, map.next_value()?).map_err(de::Error::custom)?;
                        }
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(ApiRound(round))
            }
        }

        deserializer.deserialize_map(RoundVisitor)
    }
}

/// Reads the name of a value of a round.
struct Stat {
    /// Which of [`STATS`] should come now.
    due: usize,
}

/// What a name means.
struct Named {
    /// The column; none for what DataGolf adds one day.
    at: Option<usize>,
    /// Which of [`STATS`] should come next.
    due: usize,
}

impl<'de> DeserializeSeed<'de> for Stat {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Stat {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Named, E> {
        let is_name = |stat: &(&str, usize)| stat.0 == name;
        let found = match STATS.get(self.due) {
            Some(stat) if is_name(stat) => Some(self.due),
            _ => STATS.iter().position(is_name),
        };
        Ok(match found {
            Some(found) => Named { at: Some(STATS[found].1), due: found + 1 },
            None => Named { at: None, due: self.due },
        })
    }
}
