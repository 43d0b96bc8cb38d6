//! A system's `serve.toml`, and what is served under which limits: a flag wins over its variable, that over the file,
//! that over the default.

use std::path::Path;
use std::time::Duration;

use failure::{Failure, Outcome};
use input_files::read_text;
use serde::Deserialize;

use crate::cli::args::Args;
use crate::cli::ranges::{BodyBytes, Count, Seconds};
use crate::http::limits::Limits;
use crate::models::args::{RouteArg, are_named};
use crate::models::snapshot::RowLimits;

/// Time between looks for new models and keys when nobody says.
const POLL: Duration = Duration::from_secs(10);

/// What the program serves by.
#[derive(Debug)]
pub(super) struct Settings {
    /// Of the bucket; none where the file names none.
    pub(super) routes: Vec<RouteArg>,
    pub(super) limits: Limits,
    pub(super) rows: RowLimits,
    /// Time between looks for new models and keys.
    pub(super) poll: Duration,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    routes: Vec<RouteArg>,
    limits: LimitsTable,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    body_bytes: Option<BodyBytes>,
    connections: Option<Count>,
    requests: Option<Count>,
    rows: Option<Count>,
    explained_rows: Option<Count>,
    request_timeout_seconds: Option<Seconds>,
    drain_seconds: Option<Seconds>,
    poll_seconds: Option<Seconds>,
}

impl Settings {
    /// Of the flags and of the file that they name.
    pub(super) fn of(args: &Args) -> Outcome<Settings> {
        let Config { routes, limits } = match &args.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        let otherwise = Limits::default();
        let seconds = |flag: Option<Seconds>, file: Option<Seconds>, otherwise| {
            flag.or(file).map_or(otherwise, |Seconds(time)| time)
        };
        let count = |flag: Option<Count>, file: Option<Count>, otherwise| {
            flag.or(file).map_or(otherwise, |Count(number)| number)
        };
        let rows = |file: Option<Count>, otherwise| file.map_or(otherwise, |Count(number)| number as usize);
        let most = RowLimits::default();
        let body_bytes = args.max_body.or(limits.body_bytes);
        Ok(Settings {
            routes,
            limits: Limits {
                body_bytes: body_bytes.map_or(otherwise.body_bytes, |BodyBytes(bytes)| bytes),
                connections: count(args.max_connections, limits.connections, otherwise.connections),
                requests: count(args.max_requests, limits.requests, otherwise.requests),
                request_time: seconds(
                    args.request_timeout,
                    limits.request_timeout_seconds,
                    otherwise.request_time,
                ),
                drain_time: seconds(args.drain, limits.drain_seconds, otherwise.drain_time),
            },
            rows: RowLimits {
                rows: rows(limits.rows, most.rows),
                explained: rows(limits.explained_rows, most.explained),
            },
            poll: seconds(args.poll, limits.poll_seconds, POLL),
        })
    }
}

impl Config {
    fn read(path: &Path) -> Outcome<Config> {
        Config::parse(&read_text(path)?).map_err(|failure| failure.at(path.display()))
    }

    /// The failure (exit 78) says the line where TOML knows it.
    fn parse(text: &str) -> Outcome<Config> {
        let config: Config =
            toml::from_str(text).map_err(|error| Failure::config(suggestion::toml_error(text, &error)))?;
        let names: Vec<_> = config.routes.iter().map(|route| route.name.as_deref()).collect();
        match are_named(&names) {
            true => Ok(config),
            false => Err(Failure::config("routes: several need a name each, and each another")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::{Args, Config, Settings};

    fn settings(file: &str, flags: &[&str]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, file).unwrap();
        let path = path.to_str().unwrap();
        let args = [&["predictd", "--config", path], flags].concat();
        Settings::of(&Args::try_parse_from(args).unwrap()).unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = "[limits]\nconnections = 7\nrequests = 8\ndrain_seconds = 2\nbody_bytes = 100\n";
        let found = settings(file, &["--max-requests", "9", "--poll", "0.5"]);
        let limits = found.limits;
        assert_eq!((limits.connections, limits.requests, limits.body_bytes), (7, 9, 100));
        assert_eq!(limits.drain_time, Duration::from_secs(2));
        assert_eq!(limits.request_time, Duration::from_secs(10));
        assert_eq!(found.poll, Duration::from_millis(500));
        assert!(found.routes.is_empty());
    }

    #[test]
    fn routes_have_names_and_prefixes() {
        let one = Config::parse("[[routes]]\n").unwrap().routes;
        assert_eq!((one[0].name.as_deref(), one[0].prefix.to_string().as_str()), (None, "models/"));
        let two =
            "[[routes]]\nname = \"match\"\nprefix = \"models/football_result/\"\n[[routes]]\nname = \"b\"\n";
        let two = Config::parse(two).unwrap().routes;
        assert_eq!(
            (two[0].name.as_deref(), two[0].prefix.to_string().as_str()),
            (Some("match"), "models/football_result/")
        );
        assert_eq!((two[1].name.as_deref(), two[1].prefix.to_string().as_str()), (Some("b"), "models/"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_a_suggestion() {
        for (file, wanted) in [
            (
                "[[routes]]\nnmae = \"a\"\n",
                "line 2: unknown field `nmae`, expected `name` or `prefix`; did you mean `name`?",
            ),
            (
                "\n[limit]\n",
                "line 2: unknown field `limit`, expected `routes` or `limits`; did you mean `limits`?",
            ),
            ("[limits]\ndrain_second = 1\n", "did you mean `drain_seconds`?"),
            ("[limits]\nconnections = 0\n", "line 2: not between 1 and 1000000"),
            ("[limits]\npoll_seconds = 0\n", "line 2: not between 0.001 and"),
            ("[limits]\nbody_bytes = \"much\"\n", "line 2: invalid type"),
            ("[[routes]]\nname = \"Golf\"\n", "line 2: \"Golf\" is no name"),
            ("[[routes]]\nprefix = \"models\"\n", "line 2: "),
            ("[[routes]]\nprefix = \"../models/\"\n", "../models/"),
            ("[[routes]]\n[[routes]]\nname = \"a\"\n", "several need a name each"),
            ("[[routes]]\nname = \"a\"\n[[routes]]\nname = \"a\"\n", "several need a name each"),
        ] {
            let failure = Config::parse(file).unwrap_err();
            assert_eq!(failure.kind(), failure::Kind::Config);
            assert!(failure.to_string().contains(wanted), "{file}: {failure}");
        }
    }
}
