//! Answers that are fitted by their logarithms: `[target] transform = "log1p"`.

use failure::{Failure, Outcome};
use model_file::Algorithm;
use recipe::Candidate;

use crate::engine;
use crate::matrix::Matrix;

/// Parts of the groups, each of which is predicted by trees that were grown on the others.
const PARTS: u32 = 3;

/// Fits to the logarithms of 1 + the answers. What is predicted is the exponential of that fit times a ratio, less 1: the exponential of a
/// mean logarithm lies below the mean, and the ratio makes both means the same (Snowdon, "A ratio estimator for bias correction in
/// logarithmic regressions", 1991). Trees know the answers of the rows that they were grown on; theirs is taken of other groups.
pub(crate) fn fit(candidate: &Candidate, matrix: &Matrix, names: &[String], seed: u64) -> Outcome<Algorithm> {
    let logarithms = matrix.target.iter().map(|answer| answer.ln_1p()).collect();
    let logged = Matrix { target: logarithms, log1p: false, ..matrix.clone() };
    let of = engine::fit(candidate, &logged, names, seed)?;
    let is_of_trees = matches!(candidate, Candidate::RandomForest { .. } | Candidate::BoostedTrees { .. });
    let mut sums = [0.0; 2];
    if is_of_trees && logged.groups.iter().any(|group| *group != logged.groups[0]) {
        let place = places(&logged.groups);
        for part in 0..PARTS {
            let (asked, grown_on) = logged.divided(|group| place(group) % PARTS == part);
            if asked.rows() > 0 && grown_on.rows() > 0 {
                add(&engine::fit(candidate, &grown_on, names, seed)?, &asked, &mut sums);
            }
        }
    } else {
        add(&of, &logged, &mut sums);
    }
    let ratio = sums[0] / sums[1];
    if !(ratio.is_finite() && ratio > 0.0) {
        return Err(Failure::data(
            "the logarithms of the answers cannot be brought back: are the units right?",
        ));
    }
    Ok(Algorithm::Log1p { ratio, of: Box::new(of) })
}

/// Adds up what is right, and the exponentials of what is said.
fn add(algorithm: &Algorithm, logged: &Matrix, sums: &mut [f64; 2]) {
    let mut said = Vec::with_capacity(logged.rows());
    algorithm.answers(&logged.values, logged.width, &mut said);
    for (row, (logarithm, said)) in logged.target.iter().zip(&said).enumerate() {
        sums[0] += logged.weight(row) * logarithm.exp();
        sums[1] += logged.weight(row) * said.exp();
    }
}

/// The place of each group among those that there are.
fn places(groups: &[u32]) -> impl Fn(u32) -> u32 + use<> {
    let mut known = groups.to_vec();
    known.sort_unstable();
    known.dedup();
    move |group| known.partition_point(|other| *other < group) as u32
}
