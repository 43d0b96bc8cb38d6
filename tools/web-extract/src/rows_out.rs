use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use schema::{PartitionKey, Table, Value, Write};

use crate::plan::TablePlan;

/// Rows of one partition, as the wire has them.
#[derive(Debug)]
pub(crate) struct Group {
    /// The place of the plan of the table among those of the source.
    pub(crate) table: usize,
    pub(crate) key: PartitionKey,
    /// JSON arrays with commas between them, or rows of a CSV.
    pub(crate) text: Vec<u8>,
    pub(crate) rows: u64,
}

/// What rows are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Wire,
    Csv,
}

/// Rows by partition, in the order in which partitions came.
#[derive(Debug)]
pub(crate) struct Groups {
    form: Form,
    pub(crate) all: Vec<Group>,
    /// Where the last row went: the next one mostly belongs there, too.
    last: usize,
    /// Where each partition is.
    places: HashMap<String, usize>,
    /// Memory for a row of a CSV.
    line: rows::Text,
}

/// The rows of an answer by their keys, as digests. Of two rows with one key that differ, and of which none is newer,
/// nobody knows which is true.
#[derive(Default)]
pub(crate) struct Keys {
    hasher: RandomState,
    rows: HashMap<u64, u64>,
    text: Vec<u8>,
}

impl Keys {
    /// Whether no other row with this key was there before.
    pub(crate) fn take(&mut self, table: &Table, row: &[Value]) -> Result<(), String> {
        let key = self.digest(table, row, table.key.iter().chain(&table.newer));
        let whole = self.digest(table, row, &(0..row.len()).collect::<Vec<_>>());
        match *self.rows.entry(key).or_insert(whole) == whole {
            true => Ok(()),
            false => Err(format!("another row of this answer says otherwise of {}", table.shown_key(row))),
        }
    }

    fn digest<'a>(
        &mut self,
        table: &Table,
        row: &[Value],
        places: impl IntoIterator<Item = &'a usize>,
    ) -> u64 {
        self.text.clear();
        push_text(&mut self.text, &table.name);
        for &at in places {
            self.text.push(b',');
            push_json(&mut self.text, &row[at]);
        }
        self.hasher.hash_one(&self.text)
    }
}

impl Groups {
    pub(crate) fn new(form: Form) -> Groups {
        Groups { form, all: Vec::new(), last: 0, places: HashMap::new(), line: rows::Text::default() }
    }

    pub(crate) fn push(&mut self, plan: &TablePlan, row: &[Value]) {
        let form = self.form;
        let mut line = std::mem::take(&mut self.line);
        let group = self.group(plan, row);
        let text = &mut group.text;
        match form {
            Form::Wire => {
                text.extend_from_slice(if group.rows == 0 { b"[" } else { b",[" });
                for (place, &column) in plan.written.iter().enumerate() {
                    if place > 0 {
                        text.push(b',');
                    }
                    push_json(text, &row[column]);
                }
                text.push(b']');
            }
            Form::Csv => {
                line.clear();
                plan.written.iter().for_each(|&column| row[column].push_to(&mut line));
                line.end_row();
                text.extend_from_slice(line.bytes());
            }
        }
        group.rows += 1;
        self.line = line;
    }

    /// Adds rows that came later.
    pub(crate) fn append(&mut self, later: Groups) {
        for group in later.all {
            match self.places.entry(name(group.table, &group.key)) {
                Entry::Occupied(place) => {
                    let held = &mut self.all[*place.get()];
                    if self.form == Form::Wire {
                        held.text.push(b',');
                    }
                    held.text.extend_from_slice(&group.text);
                    held.rows += group.rows;
                }
                Entry::Vacant(place) => {
                    place.insert(self.all.len());
                    self.all.push(group);
                }
            }
        }
    }

    fn take(&mut self) -> Vec<Group> {
        self.places.clear();
        self.last = 0;
        std::mem::take(&mut self.all)
    }

    fn group(&mut self, plan: &TablePlan, row: &[Value]) -> &mut Group {
        let at = plan.first;
        // People do not read partitions.
        let is_it = |group: &Group| {
            group.table == at
                && (self.form == Form::Csv
                    || plan.table.partition.iter().zip(&group.key.0).all(|(part, value)| {
                        if part.is_time() { part.of(row) == *value } else { row[part.column] == *value }
                    }))
        };
        if !self.all.get(self.last).is_some_and(is_it) {
            let key =
                if self.form == Form::Csv { PartitionKey(Vec::new()) } else { plan.table.partition_of(row) };
            self.last = match self.places.entry(name(at, &key)) {
                Entry::Occupied(place) => *place.get(),
                Entry::Vacant(place) => {
                    let last = *place.insert(self.all.len());
                    self.all.push(Group { table: at, key, text: Vec::new(), rows: 0 });
                    last
                }
            };
        }
        &mut self.all[self.last]
    }
}

/// What tells partitions of all tables apart.
fn name(table: usize, key: &PartitionKey) -> String {
    format!("{table} {:?}", key.0)
}

fn push_json(text: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => text.extend_from_slice(b"null"),
        Value::Integer(value) => text.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Number(value) => {
            let mut number = String::new();
            rows::number::push(&mut number, *value);
            text.extend_from_slice(number.as_bytes());
        }
        Value::Text(value) => push_text(text, value),
    }
}

/// A text as JSON has it. Writing into memory cannot fail.
pub(crate) fn push_text(text: &mut Vec<u8>, value: &str) {
    let is_plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if is_plain {
        text.push(b'"');
        text.extend_from_slice(value.as_bytes());
        text.push(b'"');
    } else {
        let _ = serde_json::to_writer(text, value);
    }
}

/// Where an answer is kept, and when it was fetched; of a file, only when somebody gave it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) raw: Option<String>,
    pub(crate) fetched_at: Option<String>,
}

/// A line of the wire; `part` numbers those of a partition that comes in several.
pub(crate) fn push_record(
    out: &mut Vec<u8>,
    plan: &TablePlan,
    group: &Group,
    origin: &Origin,
    part: Option<(u64, bool)>,
) {
    let table: &Table = &plan.table;
    out.extend_from_slice(b"{\"v\":\"");
    out.extend_from_slice(wire::PARTITION_V1.as_bytes());
    out.extend_from_slice(b"\",\"table\":");
    push_text(out, &table.name);
    out.extend_from_slice(b",\"key\":{");
    for (at, (part, value)) in table.partition.iter().zip(&group.key.0).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, &part.name);
        out.push(b':');
        push_json(out, value);
    }
    out.push(b'}');
    for (name, value) in [("raw", &origin.raw), ("fetched_at", &origin.fetched_at)] {
        if let Some(value) = value {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            push_text(out, value);
        }
    }
    if let Some((number, is_end)) = part {
        out.extend_from_slice(format!(",\"part\":{number}").as_bytes());
        if is_end {
            out.extend_from_slice(b",\"end\":true");
        }
    }
    out.extend_from_slice(b",\"columns\":[");
    for (at, &column) in plan.written.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, &table.columns[column].name);
    }
    out.extend_from_slice(format!("],\"n_rows\":{},\"rows\":[", group.rows).as_bytes());
    out.extend_from_slice(&group.text);
    out.extend_from_slice(b"]}\n");
}

/// The header of a CSV of a table's rows.
pub(crate) fn header(plan: &TablePlan) -> Vec<u8> {
    let mut line = rows::Text::default();
    plan.written.iter().for_each(|&column| line.push(plan.table.columns[column].name.as_bytes()));
    line.end_row();
    line.bytes().to_vec()
}

/// So many bytes of rows are held back, to make few records of many rows.
const HELD_BYTES: usize = 2 << 20;

/// Rows of a file that is too large to be held, made records as they come.
pub(crate) struct Collector {
    held: Groups,
    size: usize,
    /// Partitions of tables that are replaced as wholes, and are over.
    over: HashSet<String>,
    /// The one of which a part was written, and the number of that part.
    open: Option<(usize, PartitionKey, u64)>,
}

impl Collector {
    pub(crate) fn new(form: Form) -> Collector {
        Collector { held: Groups::new(form), size: 0, over: HashSet::new(), open: None }
    }

    /// Takes the rows of a block, and appends records that are complete. An error where a partition comes back that
    /// is over.
    pub(crate) fn add(
        &mut self,
        groups: Groups,
        plans: &[TablePlan],
        origin: &Origin,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if self.held.form == Form::Csv {
            groups.all.iter().for_each(|group| out.extend_from_slice(&group.text));
            return Ok(());
        }
        self.size += groups.all.iter().map(|group| group.text.len()).sum::<usize>();
        self.held.append(groups);
        if self.size > HELD_BYTES { self.flush(plans, origin, out, false) } else { Ok(()) }
    }

    /// Appends what is held.
    pub(crate) fn finish(
        &mut self,
        plans: &[TablePlan],
        origin: &Origin,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.flush(plans, origin, out, true)
    }

    fn flush(
        &mut self,
        plans: &[TablePlan],
        origin: &Origin,
        out: &mut Vec<u8>,
        is_end: bool,
    ) -> Result<(), String> {
        let groups = self.held.take();
        self.size = 0;
        let last = groups.len().saturating_sub(1);
        for (at, group) in groups.iter().enumerate() {
            let plan = &plans[group.table];
            if plan.table.write != Write::Replace {
                // Rows that stand for themselves make whole records of any number.
                push_record(out, plan, group, origin, None);
                continue;
            }
            let is_open =
                self.open.as_ref().filter(|(table, key, _)| *table == group.table && *key == group.key);
            let number = is_open.map_or(0, |(_, _, number)| *number) + 1;
            if self.open.is_some() && is_open.is_none() {
                self.close(plans, origin, out);
            }
            if self.over.contains(&name(group.table, &group.key)) {
                return Err(format!(
                    "{}: its rows come in several places of a file that is too large to be held; sort it by \
                     partition, and fill one such table at a time",
                    group.key
                ));
            }
            let goes_on = at == last && !is_end;
            let part = if goes_on || number > 1 { Some((number, !goes_on)) } else { None };
            push_record(out, plan, group, origin, part);
            if goes_on {
                self.open = Some((group.table, group.key.clone(), number));
            } else {
                self.open = None;
                self.over.insert(name(group.table, &group.key));
            }
        }
        if is_end {
            self.close(plans, origin, out);
        }
        Ok(())
    }

    /// Ends the partition of which parts were written.
    fn close(&mut self, plans: &[TablePlan], origin: &Origin, out: &mut Vec<u8>) {
        if let Some((table, key, number)) = self.open.take() {
            let group = Group { table, key: key.clone(), text: Vec::new(), rows: 0 };
            push_record(out, &plans[table], &group, origin, Some((number + 1, true)));
            self.over.insert(name(table, &key));
        }
    }
}
