//! `db-export`: tables to objects. Its README says what it promises.
//!
//! Read in this order: `lib.rs` (an export from beginning to end), `inventory.rs` (whether the bucket is newer), `check.rs` (what
//! it holds), `spool.rs` (rows, asked for in one pass, and cleaned), `publish.rs` (put beside each other).

mod check;
mod inventory;
mod publish;
mod spool;

use std::collections::{BTreeMap, BTreeSet};

use check::Look;
use clap::Parser;
use clean::Counts;
use cli::{BucketArg, Clock, DatabaseArgs};
use clock::Now;
use db::{Access, Db, Due, Inputs, Mark};
use diagnostics::{count, plural, say};
use export_rules::Rules;
use failure::{Failure, Kind, Outcome};
use inventory::Inventory;
use schema::{Export, PartitionKey, Schema, Source};
use store::{Entry, Store};

/// Writes partitions of tables to the bucket, cleaned, an object each: those whose rows or rules changed since.
///
/// Example: db-export --db sqlite:golf.db --bucket ./data --schema scripts/golf/schema.toml
#[derive(Parser)]
#[command(name = "db-export", version, verbatim_doc_comment)]
pub struct Args {
    /// The exports; without one: all of the schema.
    exports: Vec<String>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    bucket: BucketArg,
    /// Only look whether the bucket holds what was exported, by sizes and tags; export nothing.
    #[arg(long)]
    check: bool,
    /// Read every object and compare its digest.
    #[arg(long)]
    verify: bool,
    /// Write over objects that this database did not write, and write again what is gone from a newer bucket.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    clock: Clock,
}

/// An export on its way.
pub(crate) struct Job<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) export: &'a Export,
    pub(crate) rules: Rules,
    pub(crate) now: Now,
    pub(crate) overwrite: bool,
}

/// What was done.
#[derive(Default)]
struct Done {
    written: u64,
    removed: u64,
    rows: u64,
    /// Partitions that were not exported, with why; the others were.
    bad: Vec<String>,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let schema_path = args.database.schema_path()?;
    let schema: Schema = args.database.parse_schema()?;
    let exports: Vec<&Export> = match args.exports.as_slice() {
        [] => schema.exports.iter().collect(),
        names => names.iter().map(|name| schema.export(name)).collect::<Outcome<_>>()?,
    };
    if exports.is_empty() {
        return Err(Failure::config(format!("{}: it has no [exports.X]", schema_path.display())));
    }
    let store = Store::open(&args.bucket.bucket)?;
    let mut db = Db::open_for(&args.database.db, Access::Write, &schema)?;
    let _lease = db.lease_unless_inherited("state")?;
    let views = db.views()?;
    let now = args.clock.now();
    let mut done = Done::default();
    for export in exports {
        let rules = Rules::load(schema_path, export, &views)?;
        let job = Job { schema: &schema, export, rules, now, overwrite: args.overwrite };
        let listing = check::listing(&store, &job)?;
        let inventory = Inventory::ask(&mut db, &store, &job, &listing)?;
        let is_newer = inventory.is_newer() && !args.overwrite;
        let is_silent = inventory.is_silent();
        let look = Look { reads_all: args.verify, is_newer, is_silent, only_looks: args.check };
        // Before any row is read: what is stored meanwhile is marked as what was there before it, and is due again.
        let inputs = db.inputs(&schema, export)?;
        check::check(&mut db, &store, &job, &listing, &inputs, look)?;
        if !args.check {
            export_all(&mut db, &store, &job, &listing, inventory, &inputs, &mut done)?;
        }
    }
    if args.check {
        return Ok(());
    }
    let removed = if done.removed > 0 { format!(", {} removed", count(done.removed)) } else { String::new() };
    say!("{} written from {}{removed}", plural(done.written, "object"), plural(done.rows, "row"));
    match done.bad.as_slice() {
        [] => Ok(()),
        bad => Err(Failure::data(format!("not exported: {}", bad.join("; ")))),
    }
}

/// Exports what is due, and removes the objects of partitions that are gone.
fn export_all(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    listing: &BTreeMap<String, Entry>,
    inventory: Inventory,
    inputs: &Inputs<'_>,
    done: &mut Done,
) -> Outcome {
    let mut marks = db.marks(job.export)?;
    let due = inputs.due(&job.rules.digest, &marks)?;
    let spooled = spool::spool(db, job, &due)?;
    if spooled.are_unchecked {
        say!(
            "{}: its rows are not held against their digests, which were made of other columns than the schema's (db-load migrate)",
            job.export.name
        );
    }
    // Noted before the first put: an object that a killed run left behind is not somebody else's.
    let wants_intent = |due: &&Due| {
        let is_wanted = match marks.get(&due.partition.to_string()) {
            Some(mark) if mark.may_have_object() => false,
            // Under its own name it may be written over; under another one the old key must stay known.
            Some(mark) if mark.is_not_ours() && mark.object_key != due.object_key => false,
            Some(mark) if mark.is_not_ours() && job.overwrite => true,
            Some(mark) if mark.is_missing() => false,
            _ => !listing.contains_key(&due.object_key),
        };
        is_wanted && publish::check_names(due).is_ok()
    };
    let with_rows =
        spooled.parts.iter().filter(|part| part.n_rows > 0 && !part.is_damaged).map(|part| &due[part.due]);
    let intents: Vec<Mark> = with_rows.filter(wants_intent).map(Mark::intent).collect();
    if !intents.is_empty() {
        db.mark(job.export, &intents, job.now)?;
        marks.extend(intents.into_iter().map(|mark| (mark.partition.clone(), mark)));
    }
    let mut orphans = inputs.orphans(&marks);
    if !orphans.is_empty() {
        // Asked again: rows may have come while others were read, and what has some is no orphan.
        orphans = db.orphans(job.schema, job.export)?;
    }
    let planned = inventory::planned(&marks, &due, &spooled, &orphans);
    let writes = !due.is_empty() || !orphans.is_empty();
    inventory.state(db, store, job, &planned, writes)?;
    // From here on nothing of the database is open but its connection: whoever writes to it is not kept waiting.
    let known = publish::Known::new(&due, &marks, listing);
    for part in spooled.parts.iter().filter(|part| part.n_rows == 0 && !part.is_damaged) {
        empty(db, store, job, &due[part.due], &known, done)?;
    }
    for (orphan, _) in orphans.iter().filter(|(orphan, _)| orphan.is_not_ours()) {
        let key = Some(&orphan.object_key).filter(|key| !known.is_taken(key, &orphan.partition));
        without_rows(db, store, job, key, &orphan.gone(), done)?;
    }
    let bad_before = done.bad.len();
    publish(db, store, job, &known, &spooled, done)?;
    // Last, and only when everything that may take their place is there.
    if done.bad.len() > bad_before || orphans.is_empty() {
        return Ok(());
    }
    // And again: a slow bucket left time for more.
    for (orphan, is_taken) in db.orphans(job.schema, job.export)? {
        if orphan.is_not_ours() {
            continue;
        }
        if has_rows(db, job, &orphan.partition)? {
            say!(
                "{}: nothing is noted of this partition, and rows of it are there; its object stays (list and load it again)",
                orphan.partition
            );
            done.bad.push(orphan.partition);
            continue;
        }
        let nothing = orphan.gone();
        if is_taken {
            db.mark(job.export, &[nothing], job.now)?;
        } else {
            remove(db, store, job, &orphan.object_key, &nothing, done)?;
        }
    }
    Ok(())
}

/// Whether a table has rows of a partition of which nothing is noted.
fn has_rows(db: &mut Db, job: &Job<'_>, partition: &str) -> Outcome<bool> {
    let Source::Table(name) = &job.export.source else { return Ok(false) };
    let table = job.schema.table(name)?;
    // Of a schema that was another one then.
    let Ok(partition) = PartitionKey::parse(table, partition) else { return Ok(false) };
    db.has_rows(table, &partition)
}

/// A partition without rows has no object. One that this database did not write stays, like everything of somebody else.
fn empty(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    due: &Due,
    known: &publish::Known<'_>,
    done: &mut Done,
) -> Outcome {
    let nothing = Mark::nothing(due);
    // What no bucket takes was never there.
    if publish::check_names(due).is_err() {
        return db.mark(job.export, &[nothing], job.now);
    }
    let mark = known.marks.get(&nothing.partition);
    if let Some(ours) = mark.filter(|mark| mark.may_have_object()) {
        return remove(db, store, job, &ours.object_key, &nothing, done);
    }
    // Called otherwise since, or not.
    let old = mark.filter(|mark| mark.is_not_ours()).map(|mark| &mark.object_key);
    let old = old.filter(|old| **old != due.object_key && !known.is_taken(old, &nothing.partition));
    without_rows(db, store, job, old.into_iter().chain([&due.object_key]), &nothing, done)
}

/// The objects under these keys are not this database's, and their partition has no rows.
fn without_rows<'a>(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    keys: impl IntoIterator<Item = &'a String>,
    nothing: &Mark,
    done: &mut Done,
) -> Outcome {
    for key in keys {
        match store.reader(key)?.is_some() {
            false => {}
            true if job.overwrite => remove(db, store, job, key, nothing, done)?,
            true => {
                say!(
                    "{}: {key} is there, this database did not write it, and the partition has no rows (--overwrite removes it)",
                    nothing.partition
                );
                done.bad.push(nothing.partition.clone());
                return Ok(());
            }
        }
    }
    db.mark(job.export, std::slice::from_ref(nothing), job.now)
}

/// Removes the object of a partition without rows, and notes it.
fn remove(db: &mut Db, store: &Store, job: &Job<'_>, key: &str, mark: &Mark, done: &mut Done) -> Outcome {
    store.delete(key)?;
    db.mark(job.export, std::slice::from_ref(mark), job.now)?;
    say!("{key}: {} has no rows any more: removed", mark.partition);
    done.removed += 1;
    Ok(())
}

/// Marks that are written together: few enough that a killed run has little to do again.
const MARKS_TOGETHER: usize = 32;

fn publish(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    known: &publish::Known<'_>,
    spooled: &spool::Spooled,
    done: &mut Done,
) -> Outcome {
    for part in &spooled.parts {
        if let Err(failure) = &part.cleaned {
            say!("{failure}");
            done.bad.push(known.due[part.due].partition.to_string());
        }
    }
    let (mut waiting, mut published_now): (Vec<Mark>, BTreeSet<usize>) = (Vec::new(), BTreeSet::new());
    let outcome = publish::publish(store, job, known, spooled, &mut |published| {
        match published.outcome {
            Ok(object) => {
                done.written += u64::from(object.is_new);
                done.rows += published.n_rows;
                published_now.insert(published.due);
                waiting.push(object.mark);
            }
            Err(failure) if failure.kind() == Kind::Data => {
                let place = &known.due[published.due].partition;
                say!("{failure}");
                done.bad.push(place.to_string());
            }
            Err(failure) => return Err(failure),
        }
        if waiting.len() >= MARKS_TOGETHER {
            db.mark(job.export, &waiting, job.now)?;
            waiting.clear();
        }
        Ok(())
    });
    // What is in the bucket is marked even if the next one could not be put.
    let marked = if waiting.is_empty() { Ok(()) } else { db.mark(job.export, &waiting, job.now) };
    let cleaned = spooled.parts.iter().filter(|part| published_now.contains(&part.due));
    let cleaned: Counts = cleaned.filter_map(|part| part.cleaned.as_ref().ok()?.counts.clone()).sum();
    if cleaned.read > 0 {
        cleaned.report();
    }
    outcome.and(marked)
}
