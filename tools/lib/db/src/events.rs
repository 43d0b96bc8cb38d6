use manners::{Failure, Now, Outcome};
use wire::{COLUMNS, Cell, Event, Identity, Listing};

use crate::Db;
use crate::connection::{Connection, Insert, collect, in_transaction};

/// How long an event that the archive does not have is left alone.
const NEXT_TRY_HOURS: i64 = 24;

const IS_EVENT: &str = "tour = ? AND calendar_year = ? AND event_id = ?";

/// What a listing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Events seen for the first time.
    pub new: u64,
    /// Events whose name, date or categories were corrected; their rounds will be fetched again.
    pub changed: u64,
    /// Events as they were.
    pub same: u64,
}

/// What storing an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Its first rounds.
    New,
    /// Other rounds than before.
    Changed,
    /// The same content: nothing was written.
    Same,
    /// The archive does not have it yet; noted, with a time before which it is not asked for.
    Unavailable,
    /// Nothing was written, because of this.
    Refused(String),
}

/// An event on its way in, with the hash of its content.
#[derive(Clone, Debug)]
pub struct Arrival {
    event: Event,
    content_sha256: String,
}

impl From<Event> for Arrival {
    fn from(event: Event) -> Arrival {
        Arrival { content_sha256: event.content_sha256(), event }
    }
}

impl Arrival {
    /// The event that came.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// A revision of an event that is in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Which.
    pub event: Identity,
    /// The revision that was written.
    pub rounds_rev: i64,
    /// The object's key.
    pub object_key: String,
    /// Hex sha256 of the object.
    pub object_sha256: String,
}

impl Db {
    /// Takes over a whole event list in one transaction.
    pub fn list_events(&mut self, listings: &[Listing], now: Now) -> Outcome<Listed> {
        let table = &self.tables.events;
        in_transaction(self.connection.as_mut(), |connection| {
            let mut listed = Listed::default();
            for listing in listings {
                match list_event(connection, table, listing, now)? {
                    Change::New => listed.new += 1,
                    Change::Changed => listed.changed += 1,
                    Change::Same => listed.same += 1,
                }
            }
            Ok(listed)
        })
    }

    /// Stores events in one transaction: all of them, or none when it fails.
    ///
    /// Fewer than half of the rounds that are there are refused unless `allow_shrink`: a broken answer looks like that.
    pub fn store_events(
        &mut self,
        arrivals: &[Arrival],
        allow_shrink: bool,
        now: Now,
    ) -> Outcome<Vec<Stored>> {
        let (events, rounds) = (&self.tables.events, &self.tables.rounds);
        in_transaction(self.connection.as_mut(), |connection| {
            let mut stored = Vec::with_capacity(arrivals.len());
            let mut replacing: Vec<&Event> = Vec::new();
            for arrival in arrivals {
                let what = store_event(connection, events, arrival, allow_shrink, now)?;
                if matches!(what, Stored::New | Stored::Changed) {
                    // An event that came twice: its later rounds are the ones that stay.
                    replacing.retain(|earlier| earlier.identity() != arrival.event.identity());
                    replacing.push(&arrival.event);
                }
                stored.push(what);
            }
            replace_rounds(connection, rounds, &replacing)?;
            Ok(stored)
        })
    }

    /// Marks events as published at their revisions, in one transaction; false for those that have moved on.
    pub fn mark_exported(&mut self, exports: &[Export], now: Now) -> Outcome<Vec<bool>> {
        let events = &self.tables.events;
        in_transaction(self.connection.as_mut(), |connection| {
            let mark = |export: &Export| mark_exported(connection, events, export, now);
            exports.iter().map(mark).collect()
        })
    }

    /// Compares what was exported with what a bucket holds (`sha256_of` a key) and forgets the mark of every event whose
    /// object is missing or different. Returns those events.
    pub fn forget_lost_exports(
        &mut self,
        sha256_of: impl Fn(&str) -> Option<String>,
    ) -> Outcome<Vec<Identity>> {
        let events = &self.tables.events;
        in_transaction(self.connection.as_mut(), |connection| {
            let sql = format!(
                "SELECT tour, calendar_year, event_id, object_key, object_sha256 FROM {events} \
                 WHERE exported_rev IS NOT NULL ORDER BY tour, calendar_year, event_id{}",
                connection.for_update()
            );
            let mut lost = Vec::new();
            for row in collect(connection, &sql, &[])? {
                let there = row[3].text().and_then(&sha256_of);
                if there.as_deref() != row[4].text() {
                    lost.push(identity_of(&row)?);
                }
            }
            for event in &lost {
                let sql = format!("UPDATE {events} SET exported_rev = NULL WHERE {IS_EVENT}");
                connection.run(&sql, &with_identity(&[], event))?;
            }
            Ok(lost)
        })
    }
}

/// Everything about an event but its rounds themselves.
fn store_event(
    connection: &mut dyn Connection,
    events: &str,
    Arrival { event, content_sha256 }: &Arrival,
    allow_shrink: bool,
    now: Now,
) -> Outcome<Stored> {
    let identity = event.identity();
    if let Some(reason) = &event.unavailable {
        // An event that nobody listed is not waited for.
        put_off(connection, events, &identity, reason, now)?;
        return Ok(Stored::Unavailable);
    }
    make_sure_of(connection, events, event, now)?;
    let known = known(connection, events, &identity)?;
    if known.content_sha256.as_ref() == Some(content_sha256) {
        settle(connection, events, &identity)?;
        return Ok(Stored::Same);
    }
    let (old, new) = (known.n_rounds, event.rounds.len() as i64);
    if new * 2 < old && !allow_shrink {
        return Ok(Stored::Refused(format!(
            "{new} rounds would replace {old} (--allow-shrink, if that is right)"
        )));
    }
    let sql = format!(
        "UPDATE {events} SET n_rounds = ?, rounds_rev = rounds_rev + 1, content_sha256 = ?, stored_at = ?, \
         refetch = 0, unavailable = NULL, next_try_at = NULL WHERE {IS_EVENT}"
    );
    let values = [Cell::Int(new), Cell::from(content_sha256.as_str()), Cell::from(now.text())];
    connection.run(&sql, &with_identity(&values, &identity))?;
    Ok(if known.rounds_rev == 0 { Stored::New } else { Stored::Changed })
}

fn mark_exported(connection: &mut dyn Connection, table: &str, export: &Export, now: Now) -> Outcome<bool> {
    // Asked first: an UPDATE that changes nothing counts no rows on some servers.
    let known = known(connection, table, &export.event)?;
    if known.rounds_rev != export.rounds_rev || export.rounds_rev == 0 {
        return Ok(false);
    }
    let sql = format!(
        "UPDATE {table} SET exported_rev = ?, object_key = ?, object_sha256 = ?, exported_at = ? WHERE {IS_EVENT}"
    );
    let values = [
        Cell::Int(export.rounds_rev),
        Cell::from(export.object_key.as_str()),
        Cell::from(export.object_sha256.as_str()),
        Cell::from(now.text()),
    ];
    connection.run(&sql, &with_identity(&values, &export.event))?;
    Ok(true)
}

enum Change {
    New,
    Changed,
    Same,
}

fn list_event(connection: &mut dyn Connection, table: &str, listing: &Listing, now: Now) -> Outcome<Change> {
    let event = listing.identity();
    let fields = [
        Cell::from(listing.event_name.as_str()),
        Cell::from(listing.event_completed.as_str()),
        Cell::from(listing.sg_categories.as_str()),
        Cell::from(listing.traditional_stats.as_str()),
    ];
    let sql = format!(
        "SELECT event_name, event_completed, sg_categories, traditional_stats FROM {table} WHERE {IS_EVENT}{}",
        connection.for_update()
    );
    let found = collect(connection, &sql, &with_identity(&[], &event))?;
    match found.first() {
        Some(row) if *row == fields => Ok(Change::Same),
        Some(_) => {
            // Rounds carry name and date too, so an event that has some is fetched again.
            let sql = format!(
                "UPDATE {table} SET event_name = ?, event_completed = ?, sg_categories = ?, traditional_stats = ?, \
                 refetch = 1, listed_at = ? WHERE {IS_EVENT}"
            );
            let values = [&fields[..], &[Cell::from(now.text())]].concat();
            connection.run(&sql, &with_identity(&values, &event))?;
            Ok(Change::Changed)
        }
        None => {
            insert_event(connection, table, &event, fields, now)?;
            Ok(Change::New)
        }
    }
}

fn insert_event(
    connection: &mut dyn Connection,
    table: &str,
    event: &Identity,
    fields: [Cell; 4],
    now: Now,
) -> Outcome {
    let sql = format!(
        "INSERT INTO {table} (event_name, event_completed, sg_categories, traditional_stats, listed_at, \
         tour, calendar_year, event_id, refetch, n_rounds, rounds_rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)"
    );
    let values = [&fields[..], &[Cell::from(now.text())]].concat();
    connection.run(&sql, &with_identity(&values, event)).map(drop)
}

/// Rounds can arrive before their listing. An event that is listed keeps the listing's words: the answer's may differ,
/// and the next listing would look like a correction.
fn make_sure_of(connection: &mut dyn Connection, table: &str, event: &Event, now: Now) -> Outcome {
    let sql = format!("SELECT 1 FROM {table} WHERE {IS_EVENT}");
    if !collect(connection, &sql, &with_identity(&[], &event.identity()))?.is_empty() {
        return Ok(());
    }
    let fields = [
        Cell::from(event.event_name.as_str()),
        Cell::from(event.event_completed.as_str()),
        Cell::from(event.sg_categories.as_str()),
        Cell::from(event.traditional_stats.as_str()),
    ];
    insert_event(connection, table, &event.identity(), fields, now)
}

struct Known {
    rounds_rev: i64,
    n_rounds: i64,
    content_sha256: Option<String>,
}

fn known(connection: &mut dyn Connection, table: &str, event: &Identity) -> Outcome<Known> {
    let sql = format!(
        "SELECT rounds_rev, n_rounds, content_sha256 FROM {table} WHERE {IS_EVENT}{}",
        connection.for_update()
    );
    let rows = collect(connection, &sql, &with_identity(&[], event))?;
    let row = rows.first().ok_or_else(|| Failure::data(format!("event {event} is not in table {table}")))?;
    Ok(Known {
        rounds_rev: row[0].int().unwrap_or(0),
        n_rounds: row[1].int().unwrap_or(0),
        content_sha256: row[2].text().map(str::to_owned),
    })
}

fn put_off(
    connection: &mut dyn Connection,
    table: &str,
    event: &Identity,
    reason: &str,
    now: Now,
) -> Outcome {
    let sql = format!("UPDATE {table} SET unavailable = ?, next_try_at = ? WHERE {IS_EVENT}");
    let values = [Cell::from(reason), Cell::from(now.plus_hours(NEXT_TRY_HOURS).text())];
    connection.run(&sql, &with_identity(&values, event)).map(drop)
}

/// The content is as it was: only what asked for a fetch is taken back, if anything did.
fn settle(connection: &mut dyn Connection, table: &str, event: &Identity) -> Outcome {
    let sql = format!(
        "UPDATE {table} SET refetch = 0, unavailable = NULL, next_try_at = NULL \
         WHERE {IS_EVENT} AND (refetch <> 0 OR unavailable IS NOT NULL)"
    );
    connection.run(&sql, &with_identity(&[], event)).map(drop)
}

fn replace_rounds(connection: &mut dyn Connection, table: &str, events: &[&Event]) -> Outcome {
    let sql = format!("DELETE FROM {table} WHERE tour = ? AND year = ? AND event_id = ?");
    for event in events {
        connection.run(&sql, &with_identity(&[], &event.identity()))?;
    }
    let columns = COLUMNS.map(|(name, _)| name);
    let rows: Vec<&[Cell]> =
        events.iter().flat_map(|event| &event.rounds).map(|round| round.0.as_slice()).collect();
    connection.insert_all(&Insert { table, columns: &columns, replace: false }, &rows)
}

fn with_identity(values: &[Cell], event: &Identity) -> Vec<Cell> {
    let mut all = values.to_vec();
    all.extend([Cell::from(event.tour.as_str()), Cell::Int(event.calendar_year), Cell::Int(event.event_id)]);
    all
}

/// The identity in the first three cells of a row.
pub(crate) fn identity_of(row: &[Cell]) -> Outcome<Identity> {
    let (tour, year, id) = (row[0].text(), row[1].int(), row[2].int());
    let (Some(tour), Some(year), Some(id)) = (tour, year, id) else {
        return Err(Failure::data(format!("an event of the database has no identity: {row:?}")));
    };
    Identity::new(tour, year, id).map_err(Failure::data)
}
