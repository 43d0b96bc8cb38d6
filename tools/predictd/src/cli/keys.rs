//! `predictd keys …`.

use clap::{Args, Subcommand};
use cli::Stdout;
use clock::Now;
use diagnostics::say;
use failure::{IoContext, Outcome};
use rows::Writer;

use crate::http::auth::{KEYS, KeyFile, Rate};

/// What can be done besides serving.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes, lists and revokes the keys by which clients are known.
    #[command(subcommand)]
    Keys(Verb),
}

/// What is done to the keys.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Makes a key and writes it to stdout, once: only a hash of it is kept.
    Create {
        /// Whose it is, for people and the logs.
        name: String,
        /// How often it may ask, like 100/minute (second, minute, hour); as often as it likes unless said.
        #[arg(long, value_name = "N/UNIT")]
        rate: Option<Rate>,
        #[command(flatten)]
        kept: Kept,
    },
    /// Lists all keys, revoked ones included, as CSV without their secrets.
    List {
        #[command(flatten)]
        kept: Kept,
    },
    /// Revokes a key; servers that run notice within --poll seconds.
    Revoke {
        /// Its id or name.
        key: String,
        #[command(flatten)]
        kept: Kept,
    },
}

/// Where they are.
#[derive(Args)]
pub(crate) struct Kept {
    /// The file of keys, or an object as s3://bucket/keys.json; made by the first `create`.
    #[arg(long = "keys", value_name = "FILE|URL", env = KEYS, hide_env_values = true)]
    place: String,
    /// The time to write down, instead of the clock's.
    #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW", hide = true)]
    now: Option<Now>,
}

/// Does what was asked.
pub(crate) fn run(command: Command) -> Outcome {
    let Command::Keys(verb) = command;
    match verb {
        Verb::Create { name, rate, kept } => {
            let (place, now) = (KeyFile::parse(&kept.place), Now::or_clock(kept.now).text());
            // Before the key is made: it can be shown only once.
            let out = cli::stdout()?;
            let key = place.change(|keyring| keyring.create(&name, rate, &now))?;
            if let Err(failure) = write(out, [[key.as_str()]]) {
                say!(
                    "{place}: {name} has a key that was not shown: predictd keys list, then revoke it by its id"
                );
                return Err(failure);
            }
            say!("{place}: {name} has a key now; it is shown this once");
            Ok(())
        }
        Verb::List { kept } => {
            let place = KeyFile::parse(&kept.place);
            let keys = place.read()?.map_or(Vec::new(), |(keyring, _)| keyring.keys);
            let mut lines = vec![["id", "name", "created", "revoked", "rate"].map(str::to_owned)];
            lines.extend(keys.into_iter().map(|entry| {
                let rate = entry.rate.map_or(String::new(), |rate| rate.to_string());
                [entry.id, entry.name, entry.created, entry.revoked.unwrap_or_default(), rate]
            }));
            write(cli::stdout()?, lines)
        }
        Verb::Revoke { key, kept } => {
            let (place, now) = (KeyFile::parse(&kept.place), Now::or_clock(kept.now).text());
            for entry in place.change(|keyring| keyring.revoke(&key, &now))? {
                say!("{place}: {} of {} is revoked", entry.id, entry.name);
            }
            Ok(())
        }
    }
}

fn write<const N: usize, C: AsRef<[u8]>>(out: Stdout, lines: impl IntoIterator<Item = [C; N]>) -> Outcome {
    let mut out = Writer::new(out);
    for line in lines {
        out.write(line).place("stdout")?;
    }
    out.flush().place("stdout")
}
