use std::error::Error;

/// An error, what caused it, what caused that, and so on to the [`innermost`].
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The last of an error's causes: "Connection refused", "certificate has expired". What stands in front of it repeats in
/// a library's words what the message says anyway.
pub fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt;
    use std::io;

    use super::{causes, innermost};

    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the request failed")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_innermost_cause_says_what_happened() {
        let outer = Outer(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(innermost(&outer).to_string(), "connection refused");
        assert_eq!(innermost(&outer.0).to_string(), "connection refused", "its own, if there is no other");
        assert!(causes(&outer).any(|cause| cause.is::<io::Error>()));
        assert_eq!(causes(&outer).count(), 2);
    }
}
