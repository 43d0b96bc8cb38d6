use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use manners::{Failure, Outcome};

use crate::BUCKET;
use crate::supply::Source;

/// A model's name, if it has one, and where it comes from.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) source: Source,
}

impl Wanted {
    /// What --model and --bucket name.
    pub(crate) fn of(models: &[String], bucket: Option<&String>) -> Outcome<Vec<Wanted>> {
        let from_env = std::env::var(BUCKET).ok();
        match (models, bucket) {
            ([], Some(url)) => Ok(vec![Wanted { name: None, source: Source::Bucket(url.clone()) }]),
            ([], None) => Err(Failure::usage(format!(
                "no model to serve (give --bucket URL, --model FILE or the variable {BUCKET})"
            ))),
            // clap does not say whether the flag or the variable gave a value; what equals the variable came from it.
            (_, Some(url)) if from_env.as_ref() != Some(url) => {
                Err(Failure::usage("--model and --bucket both say which model to serve (give one of them)"))
            }
            (models, _) => {
                let wanted: Vec<Wanted> = models.iter().map(|text| Wanted::parse(text)).collect();
                let names: BTreeSet<_> = wanted.iter().map(|wanted| &wanted.name).collect();
                if names.len() < wanted.len() || (wanted.len() > 1 && names.contains(&None)) {
                    return Err(Failure::usage(
                        "--model: several models need a name each, as in --model golf=data --model other=s3://bucket",
                    ));
                }
                Ok(wanted)
            }
        }
    }

    /// `[NAME=]FILE|URL`; a name has small letters, digits, `_` and `-`.
    fn parse(text: &str) -> Wanted {
        let is_name = |name: &str| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
            !name.is_empty() && name.bytes().all(fits)
        };
        let (name, source) = match text.split_once('=') {
            Some((name, source)) if is_name(name) => (Some(Arc::from(name)), source),
            _ => (None, text),
        };
        let is_bucket = source.contains("://") || Path::new(source).is_dir();
        let source = match is_bucket {
            true => Source::Bucket(source.to_owned()),
            false => Source::File(source.into()),
        };
        Wanted { name, source }
    }
}
