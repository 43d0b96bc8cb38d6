use std::fmt;
use std::str::FromStr;

use failure::{Failure, Outcome};
use recipe::Recipe;

/// Where the models of one recipe and the pointer to the approved one are kept in a bucket: what their keys start with.
///
/// Several recipes share a bucket, each under its own prefix. A prefix may lie inside another one's: what is below a
/// further slash belongs to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of a recipe's models.
    pub fn of(recipe: &Recipe) -> Prefix {
        Prefix(recipe.models_prefix())
    }

    /// The pointer's key.
    pub fn pointer_key(&self) -> String {
        format!("{}latest_model.json", self.0)
    }

    /// The key of the pointer's copy.
    pub fn copy_key(&self) -> String {
        format!("{}latest_model.copy.json", self.0)
    }

    /// The key of the object of this name.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    /// The name of the object of this key, if it is kept here.
    pub fn name_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.0).filter(|name| !name.is_empty() && !name.contains('/'))
    }
}

impl Default for Prefix {
    /// `models/`
    fn default() -> Prefix {
        Prefix("models/".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = Failure;

    fn from_str(text: &str) -> Outcome<Prefix> {
        recipe::check_prefix(text)?;
        Ok(Prefix(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn what_is_below_a_further_slash_belongs_to_somebody_else() {
        let prefix = Prefix::default();
        assert_eq!(prefix.pointer_key(), "models/latest_model.json");
        assert_eq!(
            prefix.name_of("models/golf_2026-01-06_4715bbba9fdb.json"),
            Some("golf_2026-01-06_4715bbba9fdb.json")
        );
        for key in ["models/", "models/shots/latest_model.json", "models_old/x", "training_data/a.csv"] {
            assert_eq!(prefix.name_of(key), None, "{key}");
        }
        assert!("models".parse::<Prefix>().is_err());
    }
}
