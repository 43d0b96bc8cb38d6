//! Which observations a question's features see.

use clock::Instant;
use recipe::{GroupKey, Output};

use crate::columns::NOBODY;
use crate::engine::Engine;
use crate::plan::{Feature, Plan, Source};
use crate::track::{Track, When, Window};

/// The columns of an explanation.
pub const EXPLANATION: [&str; 10] =
    ["feature", "value", "role", "entity", "input", "key", "happened", "known", "of", "per"];

/// Calls `take` with the cells of each line: an observation that a feature sees, the oldest first; of a feature that sees
/// none, one line with its value. `keys` gives the key of an input's row.
pub(crate) fn explain(
    engine: &Engine,
    when: When,
    entities: &[u32],
    values: &[f64],
    keys: &dyn Fn(usize, u64) -> Vec<u8>,
    take: &mut dyn FnMut(&[String]),
) {
    let plan = &engine.plan;
    for (made, value) in plan.outputs.iter().zip(values) {
        let Output::Role(role) = made.output else { continue };
        let (kind, feature) = match made.from {
            Source::Feature(feature) => (plan.features[feature].kind, Some(&plan.features[feature])),
            Source::Rating(rating) => (plan.ratings[rating].kind, None),
        };
        let entity = &plan.history.entities[kind];
        let number = engine.layout.kinds[kind].map_or(NOBODY, |at| entities[at + role]);
        let name = engine.known.entities[kind].name(number).unwrap_or_default();
        let value = if value.is_nan() { String::new() } else { rows::number::text(*value) };
        let head =
            [made.name.clone(), value, entity.roles[role].name.clone(), shown(name), entity.input.clone()];
        let track = engine.track(kind, number).filter(|_| number != NOBODY);
        let seen = track.map_or_else(Vec::new, |track| rows_of(plan, track, feature, when));
        let input = plan.kinds[kind].input;
        let width = plan.kinds[kind].measures.len();
        for at in &seen {
            let Some(track) = track else { continue };
            let row = &track.kept.values[at * width..(at + 1) * width];
            let (of, per) = match (made.from, feature) {
                (Source::Rating(rating), _) => (Some(row[plan.ratings[rating].of]), None),
                (_, Some(feature)) => (feature.of.map(|of| row[of]), feature.per.map(|per| row[per])),
                _ => (None, None),
            };
            let cell =
                |x: Option<f64>| x.filter(|x| !x.is_nan()).map_or_else(String::new, rows::number::text);
            let mut line = head.to_vec();
            line.push(shown(&keys(input, track.kept.seq[*at])));
            line.extend([track.kept.happened[*at], track.kept.known[*at]].map(|at: Instant| at.to_string()));
            line.extend([cell(of), cell(per)]);
            take(&line);
        }
        if seen.is_empty() {
            let mut line = head.to_vec();
            line.resize(EXPLANATION.len(), String::new());
            take(&line);
        }
    }
}

/// The kept rows that a feature sees; of a rating those that moved it.
fn rows_of(plan: &Plan, track: &Track, feature: Option<&Feature>, when: When) -> Vec<usize> {
    if track.is_over(plan, when.asked) {
        return Vec::new();
    }
    let Some(feature) = feature else { return (track.anew..track.kept.len()).collect() };
    let width = plan.kinds[feature.kind].measures.len();
    let mut seen = Vec::new();
    let window: Window = track.window(plan, feature, when);
    window.each(|at| {
        let (x, per) = feature.cells(&track.kept.values[at * width..(at + 1) * width]);
        if !x.is_nan() && !per.is_nan() {
            seen.push(at);
        }
    });
    seen
}

/// A key for people: its cells with slashes between them.
pub(crate) fn shown(key: &[u8]) -> String {
    let cells = GroupKey::cells(key).map(|cell| String::from_utf8_lossy(cell).into_owned());
    cells.collect::<Vec<String>>().join("/")
}
