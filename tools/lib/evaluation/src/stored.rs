use std::io::Read;

use failure::{Failure, Outcome};
use metrics::Kind;
use model_file::TargetCard;
use rows::{Row, Table, number};

use crate::scored::{Numbers, Part, Predictions, Rows, answer_of};

/// Probabilities of one row may miss 1 by this much, as files round them.
const ROUNDED: f64 = 1e-6;

/// Columns of a CSV that hold what somebody said of a target: of classes a column each.
#[derive(Debug)]
pub(crate) struct StoredColumns {
    name: String,
    kind: Kind,
    columns: Vec<(String, usize)>,
}

impl StoredColumns {
    /// Finds the column NAME, or of classes NAME_CLASS for each.
    pub(crate) fn find<R: Read>(name: &str, target: &TargetCard, table: &Table<R>) -> Outcome<StoredColumns> {
        let names = match target.kind() {
            Kind::Number | Kind::Count => vec![name.to_owned()],
            Kind::Classes(_) => target.classes.iter().map(|class| format!("{name}_{class}")).collect(),
        };
        let place = |name: String| table.require(&name).map(|at| (name, at));
        let columns = names.into_iter().map(place).collect::<Outcome<_>>()?;
        Ok(StoredColumns { name: name.to_owned(), kind: target.kind(), columns })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Adds what was said of a row to `out`; false where nothing was, which are empty cells.
    pub(crate) fn read(&self, row: &Row<'_>, out: &mut Vec<f64>) -> Result<bool, String> {
        if self.columns.iter().all(|(_, at)| row.cell(*at).is_empty()) {
            return Ok(false);
        }
        let start = out.len();
        for (name, at) in &self.columns {
            let cell = row.cell(*at);
            let wrong = |what: &str| {
                let (line, cell) = (row.line, String::from_utf8_lossy(cell));
                format!("line {line}, column {name:?}: {cell:?} is not {what}")
            };
            let value = number::parse(cell).ok_or_else(|| wrong("a number"))?;
            match self.kind {
                Kind::Count if value < 0.0 => return Err(wrong("the mean of a count: 0 or more")),
                Kind::Classes(_) if !(0.0..=1.0).contains(&value) => return Err(wrong("a probability")),
                _ => out.push(value),
            }
        }
        if let Kind::Classes(_) = self.kind {
            let all: f64 = out[start..].iter().sum();
            if (all - 1.0).abs() > ROUNDED {
                let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
                return Err(format!("line {}: {} add up to {all}, not to 1", row.line, names.join(", ")));
            }
        }
        Ok(true)
    }
}

impl Rows {
    /// Reads what stands in the columns `said` beside the answers, and what stands in the columns `against`; rows of which the first say
    /// nothing are left out, and both are compared where both say something. `groups` are the columns whose cells name a row's group,
    /// which is drawn as a whole: none if each row is one.
    pub fn stored<R: Read>(
        target: TargetCard,
        said: &str,
        against: Option<&str>,
        groups: &[String],
        mut table: Table<R>,
    ) -> Outcome<Rows> {
        thread_pool::start()?;
        let own = StoredColumns::find(said, &target, &table)?;
        let other = against.map(|name| StoredColumns::find(name, &target, &table)).transpose()?;
        let target_at = table.require(&target.name)?;
        let group = groups.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?;
        let name = table.name().to_owned();
        let (mut all, mut shared) = (Part::default(), Part::default());
        let (mut own_numbers, mut shared_numbers) = (Numbers::default(), Numbers::default());
        let mut unknown_class = None;
        while let Some(row) = table.next_row()? {
            let failed = |reason: String| Failure::data(format!("{name}: {reason}"));
            let start = all.predictions.len();
            if !own.read(&row, &mut all.predictions).map_err(failed)? {
                continue;
            }
            let answer = answer_of(&row, target_at, &target).map_err(failed)?;
            if answer < 0.0 && target.kind().classes() > 0 && unknown_class.is_none() {
                unknown_class = Some((row.line, String::from_utf8_lossy(row.cell(target_at)).into_owned()));
            }
            all.answers.push(answer);
            all.groups.push(own_numbers.of(&group, &row));
            let Some(other) = &other else { continue };
            if other.read(&row, &mut shared.others).map_err(failed)? {
                shared.predictions.extend_from_slice(&all.predictions[start..]);
                shared.answers.push(answer);
                shared.groups.push(shared_numbers.of(&group, &row));
            }
        }
        if all.answers.is_empty() {
            return Err(Failure::data(format!("{name}: no row has something in {said:?}")));
        }
        all.number(&own_numbers, !group.is_empty());
        shared.number(&shared_numbers, !group.is_empty());
        let (against, incomparable) = match other {
            Some(other) if shared.answers.is_empty() => {
                (None, Some(format!("no row has something in {said:?} and in {:?}", other.name())))
            }
            other => (other.map(|other| other.name), None),
        };
        Ok(Rows {
            id: said.to_owned(),
            target,
            against,
            incomparable,
            unknown_class,
            is_walked: false,
            places: Vec::new(),
            season: 1,
            own: all,
            shared,
        })
    }
}

impl Predictions {
    /// What stands in the columns `said` of a table with this target, row by row; rows of which they say nothing are left out.
    pub fn stored<R: Read>(target: &TargetCard, said: &str, mut table: Table<R>) -> Outcome<Predictions> {
        let columns = StoredColumns::find(said, target, &table)?;
        let name = table.name().to_owned();
        let mut predictions = Predictions::default();
        let mut number = 0;
        while let Some(row) = table.next_row()? {
            let read = columns.read(&row, &mut predictions.said);
            if read.map_err(|reason| Failure::data(format!("{name}: {reason}")))? {
                predictions.rows.push(number);
            }
            number += 1;
        }
        Ok(predictions)
    }
}
