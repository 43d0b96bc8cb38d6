//! `fairway.state/1`: what all observations until an instant leave. README.md describes it for whoever wants to read it.

use std::io::{BufRead, Write};

use clock::{Instant, Zone};
use failure::{Failure, IoContext, Outcome};
use fingerprint::Fingerprint;
use recipe::GroupKey;
use serde::{Deserialize, Serialize};

use crate::columns::NOBODY;
use crate::engine::{Engine, Version};
use crate::rating::{NO_TERM, Rated};
use crate::track::{Rows, Running, Track};

/// The version of the file.
pub const STATE: &str = "fairway.state/1";

/// How many keys stand in a line.
const KEYS_OF_A_LINE: usize = 1_000;

/// An entity that is to be in a state, also if nothing is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The kind of entity.
    pub kind: String,
    /// The cells of its key, those of the shard first.
    pub name: Vec<String>,
    /// What it is called, too.
    pub aliases: Vec<String>,
}

/// What a state is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Everything that was known by then is in it.
    pub known_until: Instant,
    /// Hex sha256 of the file's lines but the last.
    pub sha256: String,
    /// How many entities are in it.
    pub entities: u64,
}

/// A line of an entity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntityLine {
    #[serde(rename = "type")]
    kind: String,
    name: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// Rows since it began, or began anew.
    rows: u64,
    /// Of these the newest, in microseconds since 1970.
    known: Option<i64>,
    happened: Option<i64>,
    /// Rows that a window can want, column by column; times in microseconds since 1970.
    kept: KeptColumns,
    /// A list for each feature that is kept up to date row by row: rows, two numbers, a time.
    running: Vec<Numbers>,
    /// For each feature with a lag and no window, the same after each kept row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lagged: Vec<Vec<Numbers>>,
    /// For each rating: the value, the term, when the newest row happened, and rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ratings: Vec<Option<RatedNumbers>>,
}

type Numbers = (u64, f64, f64, i64);

type KeyNumbers = (String, i64, u64, Vec<Option<u32>>);

type RatedNumbers = (f64, Option<String>, i64, u64);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptColumns {
    happened: Vec<i64>,
    known: Vec<i64>,
    /// Which row of all rows of the input it is.
    row: Vec<u64>,
    /// A list for each measure.
    measures: Vec<Vec<Option<f64>>>,
}

/// A line of an input whose rows can be corrected.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysLine {
    input: String,
    /// For each key: the first 16 bytes of its sha256 in hex, when it was known, which row it is, and its entities.
    keys: Vec<KeyNumbers>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastLine {
    state: String,
    history_sha256: String,
    known_until: String,
    zone_database: String,
    /// Observations of each input, by the order of their names.
    observations: Vec<u64>,
    entities: u64,
    /// Of all lines before this one.
    sha256: String,
}

fn numbers(running: &Running) -> Numbers {
    (running.rows, running.first, running.second, running.at.0)
}

fn running((rows, first, second, at): Numbers) -> Running {
    Running { rows, first, second, at: Instant(at) }
}

/// Writes the state of an engine.
pub(crate) fn write(
    engine: &mut Engine,
    known_until: Instant,
    listed: &[Listed],
    out: &mut dyn Write,
) -> Outcome<About> {
    list(engine, listed)?;
    engine.settle(known_until);
    let mut file = Lines { out, hash: Fingerprint::new() };
    // Numbers by the order of names: a state does not depend on the order in which entities came.
    let orders: Vec<Vec<u32>> =
        (0..engine.plan.kinds.len()).map(|kind| in_state(engine, kind, listed)).collect();
    let mut entities = 0;
    for (kind, order) in orders.iter().enumerate() {
        for &entity in order {
            file.write(&entity_line(engine, kind, entity, listed))?;
            entities += 1;
        }
    }
    let names = engine.known.entities.iter().map(crate::names::Names::len);
    let places: Vec<Vec<u32>> =
        orders.iter().zip(names).map(|(order, names)| inverse(order, names)).collect();
    for (number, seen) in engine.inputs.iter().enumerate() {
        let mut keys: Vec<(&[u8; 16], &Version)> = seen.keys.iter().collect();
        keys.sort_unstable_by_key(|(_, version)| version.seq);
        let kinds = kinds_of(engine, number);
        for keys in keys.chunks(KEYS_OF_A_LINE) {
            let key = |(id, version): &(&[u8; 16], &Version)| {
                let entities = version.entities.iter().zip(&kinds);
                let entities = entities.map(|(&entity, &kind)| places[kind].get(entity as usize).copied());
                (hex(*id), version.known.0, version.seq, entities.collect())
            };
            let input = engine.plan.history.inputs[number].name.clone();
            file.write(&KeysLine { input, keys: keys.iter().map(key).collect() })?;
        }
    }
    let sha256 = file.hash.hex();
    let last = LastLine {
        state: STATE.to_owned(),
        history_sha256: engine.plan.history.digest(),
        known_until: known_until.to_string(),
        zone_database: Zone::database().to_owned(),
        observations: engine.inputs.iter().map(|seen| seen.rows).collect(),
        entities,
        sha256: sha256.clone(),
    };
    Lines { out: file.out, hash: Fingerprint::new() }.write(&last)?;
    Ok(About { known_until, sha256, entities })
}

/// Gives every listed entity a place.
fn list(engine: &mut Engine, listed: &[Listed]) -> Outcome {
    for entity in listed {
        let kind = kind_of(engine, &entity.kind)?;
        let wanted = key_width(engine, kind);
        if entity.name.len() != wanted {
            return Err(Failure::data(format!(
                "entity {}: the key of {:?} has {wanted} cells, those of the shard first",
                entity.name.join("/"),
                entity.kind
            )));
        }
        let name = GroupKey::of(entity.name.iter().map(String::as_bytes));
        engine.known.entities[kind].number(name.as_bytes());
    }
    Ok(())
}

fn kind_of(engine: &Engine, name: &str) -> Outcome<usize> {
    let entities = &engine.plan.history.entities;
    entities.iter().position(|entity| entity.name == name).ok_or_else(|| {
        let names: Vec<&str> = entities.iter().map(|entity| entity.name.as_str()).collect();
        Failure::data(format!("type {name:?}: the recipe has entities of {}", names.join(", ")))
    })
}

fn key_width(engine: &Engine, kind: usize) -> usize {
    let key = engine.plan.history.entities[kind].roles.first().map_or(0, |role| role.key.len());
    engine.plan.history.shard.len() + key
}

/// The kind of each entity that a row of an input names.
fn kinds_of(engine: &Engine, input: usize) -> Vec<usize> {
    let kinds = engine.layout.inputs[input].kinds.iter();
    kinds.flat_map(|&kind| std::iter::repeat_n(kind, engine.plan.kinds[kind].roles)).collect()
}

/// The entities of a kind that a state is about, in the order of their names: those that were seen by then, and those that
/// are to be there.
fn in_state(engine: &Engine, kind: usize, listed: &[Listed]) -> Vec<u32> {
    let names = &engine.known.entities[kind];
    let is_listed = |entity: u32| {
        let name = names.name(entity).unwrap_or_default();
        let of_this = |listed: &&Listed| listed.kind == engine.plan.history.entities[kind].name;
        let key = |listed: &Listed| GroupKey::of(listed.name.iter().map(String::as_bytes));
        listed.iter().filter(of_this).any(|listed| key(listed).as_bytes() == name)
    };
    let is_seen = |entity: u32| engine.track(kind, entity).is_some_and(|track| track.rows > 0);
    names.in_order().into_iter().filter(|&entity| is_seen(entity) || is_listed(entity)).collect()
}

fn inverse(order: &[u32], names: usize) -> Vec<u32> {
    let mut places = vec![NOBODY; names];
    for (place, number) in (0..).zip(order) {
        places[*number as usize] = place;
    }
    places
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entity_line(engine: &Engine, kind: usize, entity: u32, listed: &[Listed]) -> EntityLine {
    let name = engine.known.entities[kind].name(entity).unwrap_or_default();
    let name: Vec<String> =
        GroupKey::cells(name).map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    let kind_name = engine.plan.history.entities[kind].name.clone();
    let of_this = |listed: &&Listed| listed.kind == kind_name && listed.name == name;
    let aliases = listed.iter().filter(of_this).flat_map(|listed| listed.aliases.clone()).collect();
    let empty = Track::new(&engine.plan.kinds[kind]);
    let track = engine.track(kind, entity).unwrap_or(&empty);
    let width = engine.plan.kinds[kind].measures.len();
    let micros = |times: &[Instant]| times.iter().map(|at| at.0).collect();
    let measure = |at: usize| {
        let values = track.kept.values.chunks_exact(width.max(1)).map(|row| row[at]);
        values.map(|x| (!x.is_nan()).then_some(x)).collect()
    };
    let rating = |(number, _): (usize, &crate::plan::Rating)| {
        let rated = engine.ratings[number].of.get(entity as usize).copied().flatten();
        rated.map(|rated| {
            let term = engine.known.terms.name(rated.term);
            let term = term.map(|term| String::from_utf8_lossy(term).into_owned());
            (rated.value, term, rated.happened.0, rated.rows)
        })
    };
    let ratings = engine.plan.ratings.iter().enumerate().filter(|(_, rating)| rating.kind == kind);
    EntityLine {
        kind: kind_name,
        name,
        aliases,
        rows: track.rows,
        known: (track.rows > 0).then_some(track.known.0),
        happened: (track.rows > 0).then_some(track.happened.0),
        kept: KeptColumns {
            happened: micros(&track.kept.happened),
            known: micros(&track.kept.known),
            row: track.kept.seq.clone(),
            measures: (0..width).map(measure).collect(),
        },
        running: track.running.iter().map(numbers).collect(),
        lagged: track.lagged.iter().map(|notes| notes.iter().map(numbers).collect()).collect(),
        ratings: ratings.map(rating).collect(),
    }
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    hash: Fingerprint,
}

impl Lines<'_> {
    fn write(&mut self, line: &impl Serialize) -> Outcome {
        // Structs of strings, integers and finite numbers always serialise.
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        self.hash.add(&text);
        self.out.write_all(&text).place("the state")
    }
}

/// Reads a state into an engine that has seen nothing. `name` is how messages call it.
pub(crate) fn read(engine: &mut Engine, name: &str, input: &mut dyn BufRead) -> Outcome<About> {
    let (mut line, mut next) = (Vec::new(), Vec::new());
    let mut hash = Fingerprint::new();
    let (mut number, mut entities) = (0, 0);
    let bad = |number: u64, reason: String| {
        Failure::data(format!("{name}: line {number}: {reason} (features --state-out writes one)"))
    };
    read_line(input, &mut line, name)?;
    loop {
        number += 1;
        if line.last() != Some(&b'\n') {
            return Err(bad(number, "the state is cut".to_owned()));
        }
        read_line(input, &mut next, name)?;
        if next.is_empty() {
            break;
        }
        hash.add(&line);
        let of = if line.starts_with(b"{\"input\":") {
            read_keys(engine, &line)
        } else {
            read_entity(engine, &line)
        };
        entities += of.map_err(|reason| bad(number, reason))?;
        std::mem::swap(&mut line, &mut next);
    }
    let last: LastLine =
        serde_json::from_slice(&line).map_err(|error| bad(number, format!("not a state: {error}")))?;
    if last.state != STATE || last.history_sha256 != engine.plan.history.digest() {
        let what = if last.state == STATE { "another [history]" } else { "another version" };
        return Err(Failure::config(format!(
            "{name}: it is of {what} ({}) than this program and recipe: rebuild it (features --state-out)",
            last.state
        )));
    }
    let known_until = Instant::parse(last.known_until.as_bytes()).filter(|_| last.sha256 == hash.hex());
    let Some(known_until) =
        known_until.filter(|_| last.entities == entities && last.observations.len() == engine.inputs.len())
    else {
        return Err(bad(number, "its digest does not hold: it was changed or damaged".to_owned()));
    };
    for (seen, rows) in engine.inputs.iter_mut().zip(last.observations) {
        seen.rows = rows;
    }
    Ok(About { known_until, sha256: last.sha256, entities })
}

fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>, name: &str) -> Outcome {
    line.clear();
    input.read_until(b'\n', line).place(name)?;
    Ok(())
}

fn read_entity(engine: &mut Engine, line: &[u8]) -> Result<u64, String> {
    let line: EntityLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let kind = kind_of(engine, &line.kind).map_err(|failure| failure.to_string())?;
    let rows = line.kept.happened.len();
    let (width, n_running) = (engine.plan.kinds[kind].measures.len(), engine.plan.kinds[kind].running.len());
    let is_whole = line.kept.known.len() == rows
        && line.kept.row.len() == rows
        && line.kept.measures.len() == width
        && line.kept.measures.iter().all(|measure| measure.len() == rows)
        && line.running.len() == n_running
        && line.lagged.len() == engine.plan.kinds[kind].lagged.len()
        && line.lagged.iter().all(|notes| notes.len() == rows)
        && line.name.len() == key_width(engine, kind);
    if !is_whole {
        return Err("its columns are not as long as they have to be".to_owned());
    }
    let key = GroupKey::of(line.name.iter().map(String::as_bytes));
    let before = engine.known.entities[kind].len();
    let entity = engine.known.entities[kind].number(key.as_bytes());
    if entity as usize != before {
        return Err(format!("{} stands twice", line.name.join("/")));
    }
    let mut kept = Rows::default();
    kept.happened = line.kept.happened.iter().copied().map(Instant).collect();
    kept.known = line.kept.known.iter().copied().map(Instant).collect();
    kept.is_ordered = kept.happened.is_sorted();
    kept.seq = line.kept.row;
    for row in 0..rows {
        let start = kept.values.len();
        kept.values.extend(line.kept.measures.iter().map(|measure| measure[row].unwrap_or(f64::NAN)));
        let row = kept.values[start..].to_vec();
        kept.note_nulls(&row);
    }
    let anew = if engine.plan.kinds[kind].is_mixed { rows - rows.min(line.rows as usize) } else { 0 };
    let track = Track {
        rows: line.rows,
        known: Instant(line.known.unwrap_or_default()),
        happened: Instant(line.happened.unwrap_or_default()),
        anew,
        running: line.running.into_iter().map(running).collect(),
        lagged: line.lagged.into_iter().map(|notes| notes.into_iter().map(running).collect()).collect(),
        wanted: kept.len(),
        kept,
    };
    if let Some(place) = engine.track_mut(kind, entity) {
        *place = track;
    }
    let ratings: Vec<usize> =
        (0..engine.plan.ratings.len()).filter(|at| engine.plan.ratings[*at].kind == kind).collect();
    if line.ratings.len() != ratings.len() {
        return Err("it has another number of ratings".to_owned());
    }
    for (number, rated) in ratings.into_iter().zip(line.ratings) {
        let rated = rated.map(|(value, term, happened, rows)| {
            let term = term.map_or(NO_TERM, |term| engine.known.terms.number(term.as_bytes()));
            Rated { value, term, happened: Instant(happened), rows }
        });
        let of = &mut engine.ratings[number].of;
        of.resize(of.len().max(entity as usize + 1), None);
        of[entity as usize] = rated;
    }
    Ok(1)
}

fn read_keys(engine: &mut Engine, line: &[u8]) -> Result<u64, String> {
    let line: KeysLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let inputs = &engine.plan.history.inputs;
    let number = inputs.iter().position(|input| input.name == line.input);
    let number = number.ok_or_else(|| format!("input {:?} is not the recipe's", line.input))?;
    let width = kinds_of(engine, number).len();
    for (id, known, seq, entities) in line.keys {
        let id = parse_hex(&id).filter(|_| entities.len() == width).ok_or("a key is not whole")?;
        let entities = entities.into_iter().map(|entity| entity.unwrap_or(NOBODY)).collect();
        engine.inputs[number].keys.insert(id, Version::of_state(Instant(known), seq, entities));
    }
    Ok(0)
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
