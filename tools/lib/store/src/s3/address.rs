use manners::{Failure, Outcome};

use crate::key;

/// A bucket's name and what all keys in it start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: String,
    /// Empty, or with a slash at its end.
    pub(crate) prefix: String,
}

impl Address {
    /// Reads what follows `s3://`. It is not repeated in messages, for people put credentials into URLs.
    pub(crate) fn parse(place: &str) -> Outcome<Address> {
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(3..=63).contains(&name.len()) || !name.chars().all(is_name) {
            return Err(Failure::usage(
                "s3://…: a bucket's name has 3 to 63 letters, digits, dots and dashes (s3://name/prefix; credentials and \
                 the endpoint come from the environment)",
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return Ok(Address { name: name.to_owned(), prefix: String::new() });
        }
        key::check(prefix).map_err(|failure| failure.at(format!("s3://{name}/…")))?;
        Ok(Address { name: name.to_owned(), prefix: format!("{prefix}/") })
    }

    /// An object's key in the bucket.
    pub(crate) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// How messages call an object.
    pub(crate) fn place(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn slashes_at_the_end_mean_nothing() {
        for (place, prefix) in [("name", ""), ("name/", ""), ("name/a/b", "a/b/"), ("name/a/b/", "a/b/")] {
            let address = Address::parse(place).unwrap();
            assert_eq!((address.name.as_str(), address.prefix.as_str()), ("name", prefix), "{place}");
        }
        assert_eq!(Address::parse("name/a").unwrap().place("k"), "s3://name/a/k");
    }

    #[test]
    fn what_is_no_bucket_is_refused_and_not_repeated() {
        for place in ["", "/", "ab", "KEY:SECRET@name/a", "name?secret=SECRET", "name/../SECRET"] {
            let failure = Address::parse(place).unwrap_err();
            assert_eq!(failure.exit(), manners::Exit::Usage, "{place}");
            assert!(place.contains("..") || !failure.to_string().contains("SECRET"), "{failure}");
        }
    }
}
