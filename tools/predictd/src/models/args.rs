//! Which models are to be served, and where they come from.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use failure::{Failure, Outcome};
use pointer::Prefix;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::models::source::Source;

/// The variable that names the bucket.
pub(crate) const BUCKET: &str = "FAIRWAY_BUCKET";

/// A route of a system's `serve.toml`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteArg {
    /// `POST /predict/NAME`; a route that is alone needs no name.
    #[serde(default, deserialize_with = "name")]
    pub(crate) name: Option<Arc<str>>,
    /// What stands in front of the key of its pointer, as a recipe's `[registry]` says it.
    #[serde(default, deserialize_with = "prefix")]
    pub(crate) prefix: Prefix,
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<str>>, D::Error> {
    let name = String::deserialize(deserializer)?;
    match is_name(&name) {
        true => Ok(Some(Arc::from(name))),
        false => Err(D::Error::custom(format!("{name:?} is no name of small letters, digits, _ and -"))),
    }
}

fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Whether each of several has a name of its own.
pub(crate) fn are_named(names: &[Option<&str>]) -> bool {
    let distinct: BTreeSet<_> = names.iter().collect();
    distinct.len() == names.len() && (names.len() < 2 || !distinct.contains(&None))
}

/// A model's name, if it has one, and where it comes from.
#[derive(Debug)]
pub(crate) struct ModelArg {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) source: Source,
}

impl ModelArg {
    /// What --model names, or what the routes name in the bucket; without routes the bucket's own pointer.
    pub(crate) fn of(
        models: &[String],
        bucket: Option<&String>,
        routes: &[RouteArg],
    ) -> Outcome<Vec<ModelArg>> {
        let from_env = std::env::var(BUCKET).ok();
        match (models, bucket) {
            ([], Some(url)) if routes.is_empty() => {
                Ok(vec![ModelArg { name: None, source: Source::bucket(url.clone()) }])
            }
            ([], Some(url)) => {
                let source = |prefix: &Prefix| Source::Bucket { url: url.clone(), prefix: prefix.clone() };
                let wanted =
                    |route: &RouteArg| ModelArg { name: route.name.clone(), source: source(&route.prefix) };
                Ok(routes.iter().map(wanted).collect())
            }
            ([], None) => Err(Failure::usage(format!(
                "no model to serve (give --bucket URL, --model FILE or the variable {BUCKET})"
            ))),
            // clap does not say whether the flag or the variable gave a value; what equals the variable came from it.
            (_, Some(url)) if from_env.as_ref() != Some(url) => {
                Err(Failure::usage("--model and --bucket both say which model to serve (give one of them)"))
            }
            (models, _) => {
                let wanted: Vec<ModelArg> = models.iter().map(|text| ModelArg::parse(text)).collect();
                let names: Vec<_> = wanted.iter().map(|wanted| wanted.name.as_deref()).collect();
                if !are_named(&names) {
                    return Err(Failure::usage(
                        "--model: several models need a name each, as in --model golf=data --model other=s3://bucket",
                    ));
                }
                Ok(wanted)
            }
        }
    }

    /// `[NAME=]FILE|URL`; a name has small letters, digits, `_` and `-`.
    fn parse(text: &str) -> ModelArg {
        let (name, source) = match text.split_once('=') {
            Some((name, source)) if is_name(name) => (Some(Arc::from(name)), source),
            _ => (None, text),
        };
        let is_bucket = source.contains("://") || Path::new(source).is_dir();
        let source = match is_bucket {
            true => Source::bucket(source.to_owned()),
            false => Source::File(source.into()),
        };
        ModelArg { name, source }
    }
}
