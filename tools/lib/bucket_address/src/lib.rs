#![doc = include_str!("../README.md")]

/// A bucket's name and what all keys in it start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketAddress {
    /// The bucket's name.
    pub name: String,
    /// Empty, or with a slash at its end.
    pub prefix: String,
}

impl BucketAddress {
    /// Reads `s3://name/prefix`, with or without its scheme. Slashes at the end mean nothing. Whether the name
    /// [can be one](BucketAddress::has_possible_name) is another question.
    pub fn of(url: &str) -> BucketAddress {
        let place = url.strip_prefix("s3://").unwrap_or(url);
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        BucketAddress { name: name.to_owned(), prefix }
    }

    /// Whether S3 could have a bucket of that name: 3 to 63 letters, digits, dots and dashes.
    pub fn has_possible_name(&self) -> bool {
        let may_hold = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        (3..=63).contains(&self.name.len()) && self.name.chars().all(may_hold)
    }

    /// An object's key in the bucket.
    pub fn key(&self, own: &str) -> String {
        format!("{}{own}", self.prefix)
    }

    /// How messages call an object.
    pub fn url(&self, own: &str) -> String {
        format!("s3://{}/{}{own}", self.name, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::BucketAddress;

    #[test]
    fn schemes_and_slashes_at_the_end_mean_nothing() {
        for (place, prefix) in
            [("name", ""), ("name/", ""), ("name//", ""), ("name/a/b", "a/b/"), ("name/a/b/", "a/b/")]
        {
            let address = BucketAddress::of(place);
            assert_eq!((address.name.as_str(), address.prefix.as_str()), ("name", prefix), "{place}");
            assert_eq!(address, BucketAddress::of(&format!("s3://{place}")));
        }
        let address = BucketAddress::of("s3://name/a");
        assert_eq!((address.key("k").as_str(), address.url("k").as_str()), ("a/k", "s3://name/a/k"));
    }

    #[test]
    fn credentials_and_queries_are_no_names() {
        for possible in ["abc", "a.b-c_9", &"n".repeat(63)] {
            assert!(BucketAddress::of(possible).has_possible_name(), "{possible}");
        }
        for place in ["", "/", "ab", "KEY:SECRET@name/a", "name?secret=SECRET", &"n".repeat(64)] {
            assert!(!BucketAddress::of(place).has_possible_name(), "{place}");
        }
    }
}
