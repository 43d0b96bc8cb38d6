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
    for (feature, name) in names.iter().enumerate() {
        let prepare = recipe.prepare.get(name).cloned().unwrap_or_default();
        let values = sorted(part, names.len(), feature, &wanted);
        if values.is_empty() {
            return Err(Failure::data(format!(
                "feature {name:?} is null in every training row: take it out of [features]"
            )));
        }
        columns.push(number(feature, &prepare, &values));
        if prepare.missing_flag {
            flags.push(Column::Missing { feature });
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

/// The values of a feature that are not null, ascending.
fn sorted(part: &Part, width: usize, feature: usize, wanted: &impl Fn(u32) -> bool) -> Vec<f64> {
    let rows = part.features.chunks_exact(width).zip(&part.groups);
    let values = rows.filter(|(_, group)| wanted(**group)).map(|(row, _)| row[feature]);
    let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn number(feature: usize, prepare: &Prepare, values: &[f64]) -> Column {
    let last = values.len() - 1;
    // The value below which a share of the others lies; the nearest one, so that it is one of them.
    let at = |share: f64| values[(share * last as f64).round() as usize];
    let null = match prepare.impute {
        None => None,
        Some(Impute::Constant(value)) => Some(value),
        Some(Impute::Learnt(Statistic::Median)) => Some(at(0.5)),
    };
    let limits = prepare.winsorise.filter(|share| *share > 0.0);
    Column::Number { feature, null, low: limits.map(at), high: limits.map(|share| at(1.0 - share)) }
}
