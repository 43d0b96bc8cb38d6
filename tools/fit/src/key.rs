use recipe::Recipe;

/// What changes when the same rows and recipe give another model: part of every training key. Not the package's
/// version, because most releases change no number.
pub(crate) const MADE_BY: &str = "fairway fit/4";

/// Digest of training data, the recipe's training sections, the candidate if only one may be chosen, seed and `fit`'s version. Fields are
/// lines; none of them holds a newline.
pub(crate) fn training_key(data_sha256: &str, recipe: &Recipe, only: Option<&str>, seed: u64) -> String {
    let sections = recipe.training_sections();
    fingerprint::of(format!("{MADE_BY}\n{data_sha256}\n{sections}\n{}\n{seed}\n", only.unwrap_or("*")))
}
