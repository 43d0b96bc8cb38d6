use bucket_address::BucketAddress;
use failure::{Failure, Outcome};

use crate::key;

/// Reads what follows `s3://`. It is not repeated in messages, for people put credentials into URLs.
pub(crate) fn parse(place: &str) -> Outcome<BucketAddress> {
    let address = BucketAddress::of(&format!("s3://{place}"));
    if !address.has_possible_name() {
        return Err(Failure::usage(
            "s3://…: a bucket's name has 3 to 63 letters, digits, dots and dashes (s3://name/prefix; credentials and \
             the endpoint come from the environment)",
        ));
    }
    if let Some(prefix) = address.prefix.strip_suffix('/') {
        key::check(prefix).map_err(|failure| failure.at(format!("s3://{}/…", address.name)))?;
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_bucket_may_have_a_prefix() {
        assert_eq!(parse("name/a/").unwrap().url("k"), "s3://name/a/k");
        assert_eq!(parse("name").unwrap().url("k"), "s3://name/k");
    }

    #[test]
    fn what_is_no_bucket_is_refused_and_not_repeated() {
        for place in ["", "/", "ab", "s3://name", "KEY:SECRET@name/a", "name?secret=SECRET", "name/../SECRET"]
        {
            let failure = parse(place).unwrap_err();
            assert_eq!(failure.kind(), failure::Kind::Usage, "{place}");
            assert!(place.contains("..") || !failure.to_string().contains("SECRET"), "{failure}");
        }
    }
}
