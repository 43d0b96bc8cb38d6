//! Preparation is learnt from training rows only; the model carries it, and `artifact` applies it.

use failure::{Failure, Outcome};
use model_file::Column;
use recipe::{Encoding, Impute, Prepare, Recipe, Substitute};

use crate::training::{Part, Texts};

/// So many texts of a feature count unless the recipe says otherwise.
const MOST: u32 = 50;

/// The columns that an algorithm sees, learnt from the rows of the wanted groups. Nothing if the recipe prepares nothing. `texts` are the
/// features' texts by number. In a part of the training rows a feature that says nothing there is 0; in all of them it is refused.
pub(crate) fn learn(
    recipe: &Recipe,
    texts: &[Texts],
    part: &Part,
    is_part: bool,
    wanted: impl Fn(u32) -> bool,
) -> Outcome<Vec<Column>> {
    let names = &recipe.features.columns;
    if recipe.prepare.is_empty() && !names.iter().any(|name| recipe.is_text(name)) {
        return Ok(Vec::new());
    }
    let mut columns = Vec::new();
    let mut flags = Vec::new();
    let mut flagged = Vec::new();
    for (feature, name) in names.iter().enumerate() {
        let prepare = recipe.prepare.get(name).cloned().unwrap_or_default();
        let (values, nulls) = sorted(part, names.len(), feature, &wanted);
        if recipe.is_text(name) {
            match of_text(feature, &prepare, &texts[feature], &values) {
                Some(of_text) => columns.extend(of_text),
                None if is_part => columns.push(Column::Other { feature, known: Vec::new() }),
                None => {
                    return Err(Failure::data(format!(
                        "feature {name:?}: none of its texts is frequent enough to count (is [prepare.{name}] right?)"
                    )));
                }
            }
        } else {
            match number(feature, &prepare, &values, nulls.len()) {
                Some(column) => columns.push(column),
                None if is_part => columns.push(nothing(feature)),
                None => {
                    return Err(Failure::data(format!(
                        "feature {name:?} is null in every training row: impute a number, or take it out of [features]"
                    )));
                }
            }
        }
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
pub(crate) fn names(recipe: &Recipe, texts: &[Texts], columns: &[Column]) -> Vec<String> {
    if columns.is_empty() {
        return recipe.features.columns.clone();
    }
    let name = |column: &Column| {
        let feature = column.feature();
        column.name(&recipe.features.columns[feature], &texts[feature].list)
    };
    columns.iter().map(name).collect()
}

/// The numbers of the texts of a feature that count in all training rows: in the recipe's order, or else in that of the texts.
pub(crate) fn counted(recipe: &Recipe, texts: &[Texts], part: &Part, feature: usize) -> Vec<u32> {
    let names = &recipe.features.columns;
    let prepare = recipe.prepare.get(&names[feature]).cloned().unwrap_or_default();
    let (values, _) = sorted(part, names.len(), feature, &|_| true);
    let mut counted: Vec<u32> =
        counts(&prepare, &texts[feature], &values).into_iter().map(|(text, _)| text).collect();
    if prepare.categories.is_empty() {
        counted.sort_by_key(|number| &texts[feature].list[*number as usize]);
    }
    counted
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
fn number(feature: usize, prepare: &Prepare, values: &[f64], nulls: usize) -> Option<Column> {
    // The value below which a share of the others lies; the nearest one, so that it is one of them.
    let at = |share: f64| {
        let last = values.len().checked_sub(1)?;
        values.get((share * last as f64).round() as usize).copied()
    };
    let null = match prepare.impute {
        None => None,
        Some(Impute::Constant(value)) => Some(value),
        Some(Impute::Substitute(Substitute::Median | Substitute::Other)) => Some(at(0.5)?),
    };
    let limits = prepare.winsorise.filter(|share| *share > 0.0);
    let (low, high) = match limits {
        None => (None, None),
        Some(share) => (Some(at(share)?), Some(at(1.0 - share)?)),
    };
    let mut column = Column::Number { feature, null, low, high, mean: None, deviation: None };
    if prepare.standardise {
        // Of what stands there when nulls and limits are dealt with.
        let mut row = vec![0.0; feature + 1];
        let mut moved = Vec::with_capacity(values.len() + nulls);
        for value in values.iter().copied().chain(std::iter::repeat_n(f64::NAN, nulls)) {
            row[feature] = value;
            moved.push(column.of(&row));
        }
        moved.retain(|value| !value.is_nan());
        let rows = moved.len() as f64;
        let middle = moved.iter().sum::<f64>() / rows;
        let variance = moved.iter().map(|value| (value - middle) * (value - middle)).sum::<f64>() / rows;
        // The spread of a constant column is rounding: it stays what it is, and who cannot use it says so.
        if variance.sqrt() > middle.abs() * 1e-14
            && let Column::Number { mean, deviation, .. } = &mut column
        {
            (*mean, *deviation) = (Some(middle), Some(variance.sqrt()));
        }
    }
    Some(column)
}

/// A feature of which nothing is known: 0, whatever it is.
fn nothing(feature: usize) -> Column {
    let nothing = Some(0.0);
    Column::Number { feature, null: nothing, low: nothing, high: nothing, mean: None, deviation: None }
}

/// The texts that count, and how many rows have each; `values` are the numbers of the rows' texts, ascending.
fn counts(prepare: &Prepare, texts: &Texts, values: &[f64]) -> Vec<(u32, usize)> {
    // A text that did not count when texts were numbered anew has no number.
    let numbered = values.iter().copied().filter(|value| *value >= 0.0).collect::<Vec<_>>();
    let equals = numbered.chunk_by(|one, other| one == other);
    let mut counts: Vec<(u32, usize)> = equals.map(|equals| (equals[0] as u32, equals.len())).collect();
    if !prepare.categories.is_empty() {
        // In the recipe's order; what no row has cannot be learnt about.
        let rows_of =
            |category: u32| counts.iter().find(|(known, _)| *known == category).map(|known| known.1);
        let number = |text: &String| texts.numbers.get(text.as_bytes()).copied();
        let known = |text: &String| number(text).and_then(|category| Some((category, rows_of(category)?)));
        return prepare.categories.iter().filter_map(known).collect();
    }
    let least = prepare.min_rows.unwrap_or(1) as usize;
    counts.retain(|(_, rows)| *rows >= least);
    // The most frequent first; of equals, by text, so that the order of the rows does not matter.
    counts.sort_by(|one, other| {
        other.1.cmp(&one.1).then_with(|| texts.list[one.0 as usize].cmp(&texts.list[other.0 as usize]))
    });
    counts.truncate(prepare.most.unwrap_or(MOST) as usize);
    counts
}

/// The columns of a feature that is a text; `values` are the numbers of its texts, ascending.
/// None if none of them counts.
fn of_text(feature: usize, prepare: &Prepare, texts: &Texts, values: &[f64]) -> Option<Vec<Column>> {
    let counts = counts(prepare, texts, values);
    let reference = (0..counts.len()).max_by_key(|at| (counts[*at].1, usize::MAX - at))?;
    let counted: usize = counts.iter().map(|(_, rows)| rows).sum();
    let mut known: Vec<u32> = counts.iter().map(|(category, _)| *category).collect();
    match prepare.encode.unwrap_or(Encoding::OneHot) {
        Encoding::Ordinal => {
            if prepare.categories.is_empty() {
                known.sort_by(|one, other| texts.list[*one as usize].cmp(&texts.list[*other as usize]));
            }
            Some(vec![Column::Ordinal { feature, order: known }])
        }
        Encoding::OneHot => {
            // Where the most frequent one stands, all of its columns are 0: with a column of its own they would always add up to 1.
            let reference = known[reference];
            let category = |category: &u32| Column::Category { feature, category: *category };
            let mut columns: Vec<Column> =
                known.iter().filter(|category| **category != reference).map(category).collect();
            // A column that is 0 in every row says nothing; it is kept where there is no other, so that the feature is not lost.
            if counted < values.len() || columns.is_empty() {
                columns.push(Column::Other { feature, known });
            }
            Some(columns)
        }
    }
}
