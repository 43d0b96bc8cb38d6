use failure::{Failure, Outcome};
use serde::Deserialize;

/// Leaves room for the name of an object in a key of S3, which has at most 1,024 bytes.
const LONGEST_PREFIX_BYTES: usize = 768;

/// `[registry]`: where the recipe's models and the pointer to the approved one are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// What their keys in the bucket start with, up to a slash; without it `models/<recipe name>/`.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// Refuses (78) what cannot be the start of keys in every kind of bucket, up to a slash.
pub fn check_prefix(prefix: &str) -> Outcome {
    let reason = if !prefix.ends_with('/') {
        "does not end in a slash"
    } else if prefix.len() > LONGEST_PREFIX_BYTES {
        "is longer than 768 bytes"
    } else if prefix.chars().any(char::is_control) {
        "holds a control character"
    } else if prefix.contains('\\') {
        "holds a backslash"
    } else if prefix[..prefix.len() - 1].split('/').any(|name| name.is_empty() || name.starts_with('.')) {
        "has an empty segment or one that starts with a dot"
    } else {
        return Ok(());
    };
    Err(Failure::config(format!("prefix {prefix:?} {reason} (write it like \"models/golf/\")")))
}

#[cfg(test)]
mod tests {
    use super::check_prefix;

    #[test]
    fn a_prefix_starts_keys_of_every_bucket() {
        for good in ["models/", "models/golf/", "a b/ü+/"] {
            check_prefix(good).unwrap_or_else(|failure| panic!("{failure}"));
        }
        for bad in
            ["", "/", "models", "/models/", "models//golf/", "models/../", "./models/", "a\\b/", "a\n/"]
        {
            assert!(check_prefix(bad).is_err(), "{bad:?}");
        }
        assert!(check_prefix(&format!("{}/", "x".repeat(800))).is_err());
    }
}
