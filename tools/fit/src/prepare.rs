//! Preparation is learnt from training rows only; the model carries it, and `artifact` applies it.

use artifact::Column;
use manners::{Failure, Outcome};
use recipe::{Impute, Prepare, Recipe, Statistic};

use crate::training::Part;

/// The columns that an algorithm sees, learnt from the rows of the wanted groups. Nothing if the recipe prepares nothing.
pub(crate) fn learn(recipe: &Recipe, part: &Part, wanted: impl Fn(u32) -> bool) -> Outcome<Vec<Column>> {
    if recipe.prepare.is_empty() {
        return Ok(Vec::new());
    }
    let names = &recipe.features.columns;
    let mut columns = Vec::new();
    let mut flags = Vec::new();
    let mut flagged = Vec::new();
    for (feature, name) in names.iter().enumerate() {
        let prepare = recipe.prepare.get(name).cloned().unwrap_or_default();
        let (values, nulls) = sorted(part, names.len(), feature, &wanted);
        columns.push(number(feature, &prepare, &values).ok_or_else(|| {
            Failure::data(format!(
                "feature {name:?} is null in every row that is fitted on: impute a number, or take it out of [features]"
            ))
        })?);
        // A flag that is the same everywhere says nothing, nor does one that says what another one says.
        let is_news = !values.is_empty() && !nulls.is_empty() && !flagged.contains(&nulls);
        if prepare.missing_flag && is_news {
            flags.push(Column::Missing { feature });
            flagged.push(nulls);
        }
    }
    columns.extend(flags);
    Ok(columns)
}

/// What the columns are called in messages.
pub(crate) fn names(recipe: &Recipe, columns: &[Column]) -> Vec<String> {
    if columns.is_empty() {
        return recipe.features.columns.clone();
    }
    let name = |column: &Column| match column {
        Column::Number { feature, .. } => recipe.features.columns[*feature].clone(),
        Column::Missing { feature } => format!("{} is null", recipe.features.columns[*feature]),
    };
    columns.iter().map(name).collect()
}

/// The values of a feature that are not null, ascending, and in which rows it is null.
fn sorted(
    part: &Part,
    width: usize,
    feature: usize,
    wanted: &impl Fn(u32) -> bool,
) -> (Vec<f64>, Vec<usize>) {
    let (mut values, mut nulls) = (Vec::new(), Vec::new());
    for (at, (row, group)) in part.features.chunks_exact(width).zip(&part.groups).enumerate() {
        match row[feature] {
            _ if !wanted(*group) => {}
            value if value.is_nan() => nulls.push(at),
            value => values.push(value),
        }
    }
    values.sort_unstable_by(f64::total_cmp);
    (values, nulls)
}

/// The column of a feature; none if it has to be learnt and there is nothing to learn from.
fn number(feature: usize, prepare: &Prepare, values: &[f64]) -> Option<Column> {
    // The value below which a share of the others lies; the nearest one, so that it is one of them.
    let at = |share: f64| {
        let last = values.len().checked_sub(1)?;
        values.get((share * last as f64).round() as usize).copied()
    };
    let null = match prepare.impute {
        None => None,
        Some(Impute::Constant(value)) => Some(value),
        Some(Impute::Learnt(Statistic::Median)) => Some(at(0.5)?),
    };
    let limits = prepare.winsorise.filter(|share| *share > 0.0);
    let (low, high) = match limits {
        None => (None, None),
        Some(share) => (Some(at(share)?), Some(at(1.0 - share)?)),
    };
    Some(Column::Number { feature, null, low, high })
}
