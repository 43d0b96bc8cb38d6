//! `bucket`: objects in and out of a folder or S3. Its README says what it promises.

mod answers;
mod cat;

use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use atomic_file::OutFile;
use clap::{Parser, Subcommand};
use cli::BucketArg;
use diagnostics::{plural, say};
use failure::{Failure, IoContext, Outcome};
use recipe::Recipe;
use store::{Reader, Store};

/// Puts objects into a bucket and gets them out, whole or not at all.
///
/// Example: bucket put training_data/x.csv --bucket ./data --from x.csv
///          bucket cat training_data/ --bucket ./data --manifest m.json > all.csv
#[derive(Parser)]
#[command(name = "bucket", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Writes a file as an object and prints the object's sha256.
    Put {
        /// The object's key.
        key: String,
        #[command(flatten)]
        at: BucketArg,
        /// The file. There is no reading from a pipe: a pipe that was cut looks complete.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Fail with exit 1 if there is an object with other content.
        #[arg(long)]
        if_absent: bool,
    },
    /// Writes an object to stdout, or to a file that appears when it is complete.
    Get {
        /// The object's key.
        key: String,
        #[command(flatten)]
        at: BucketArg,
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Joins the CSVs below a prefix under one header.
    Cat {
        /// What the keys start with, like training_data/.
        prefix: String,
        #[command(flatten)]
        at: BucketArg,
        /// Record what was read: key, sha256 and rows of every object.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// The prediction problem (TOML): with `[training] on_bad_object = "exclude"`, objects that `fit` could not read are left out.
        #[arg(long, value_name = "FILE")]
        recipe: Option<PathBuf>,
    },
    /// Prints answers that web-fetch kept, as it printed them: JSON lines for web-extract.
    Answers {
        /// What the keys of their sidecars start with, like raw/odds/; `-` reads a CSV with the column `key`.
        prefix: String,
        #[command(flatten)]
        at: BucketArg,
    },
    /// Lists objects as CSV: key, size_bytes and, if asked for, sha256.
    Ls {
        /// What the keys start with; nothing lists all.
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        at: BucketArg,
        /// Read every object and print its digest.
        #[arg(long)]
        sha256: bool,
    },
    /// Removes an object; none there is fine.
    Rm {
        /// The object's key.
        key: String,
        #[command(flatten)]
        at: BucketArg,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.verb {
        Verb::Put { key, at, from, if_absent } => put(&Store::open(&at.bucket)?, &key, &from, if_absent),
        Verb::Get { key, at, to } => get(&Store::open(&at.bucket)?, &key, to.as_deref()),
        Verb::Cat { prefix, at, manifest, recipe } => {
            let recipe = recipe.map(|path| Recipe::load(&path, input_files::read_text)).transpose()?;
            cat::cat(&Store::open(&at.bucket)?, &prefix, manifest.as_deref(), recipe.as_ref())
        }
        Verb::Answers { prefix, at } => answers::answers(&Store::open(&at.bucket)?, &prefix),
        Verb::Ls { prefix, at, sha256 } => ls(&Store::open(&at.bucket)?, &prefix, sha256),
        Verb::Rm { key, at } => Store::open(&at.bucket)?.delete(&key),
    }
}

fn put(store: &Store, key: &str, from: &Path, if_absent: bool) -> Outcome {
    let name = &from.display().to_string();
    let mut file = regular_file(from)?;
    let sha256 = fingerprint::of_stream(&mut file).place(name)?;
    file.rewind().place(name)?;
    if if_absent {
        let bytes = input_files::read(from).place(name)?;
        if store.put_if_absent(key, &bytes)? == store::Written::Lost {
            return Err(Failure::no(format!(
                "{key}: there is an object with other content; nothing was written"
            )));
        }
    } else {
        store.put(key, &mut file)?;
    }
    let mut out = cli::stdout()?;
    out.write(format!("{sha256}\n").as_bytes())?;
    out.finish()
}

/// What may be published: a file that somebody has finished. A pipe that was cut looks complete.
fn regular_file(path: &Path) -> Outcome<std::fs::File> {
    let name = &path.display().to_string();
    let file = input_files::open(path).place(name)?;
    if !file.metadata().place(name)?.is_file() {
        return Err(Failure::usage(format!(
            "--from {name} is not a regular file: write one first, then put it"
        )));
    }
    Ok(file)
}

fn get(store: &Store, key: &str, to: Option<&Path>) -> Outcome {
    let mut reader = open(store, key)?;
    match to {
        None => {
            let mut out = cli::stdout()?;
            io::copy(&mut reader, &mut out).place(key)?;
            out.finish()
        }
        Some(path) => {
            let mut file = OutFile::create(path)?;
            io::copy(&mut reader, &mut file).place(path.display())?;
            file.publish()
        }
    }
}

fn ls(store: &Store, prefix: &str, sha256: bool) -> Outcome {
    let entries = store.list(prefix)?;
    let mut out = cli::csv()?;
    let header: &[&str] = if sha256 { &["key", "size_bytes", "sha256"] } else { &["key", "size_bytes"] };
    out.write(header)?;
    let mut readers = store.readers(entries.iter().filter(|_| sha256).map(|entry| entry.key.as_str()));
    for entry in &entries {
        let mut record = vec![entry.key.clone(), entry.size_bytes.to_string()];
        if let Some(reader) = readers.next() {
            // Gone since the listing: it is not listed.
            let Some(mut reader) = reader? else { continue };
            record.push(fingerprint::of_stream(&mut reader).place(&entry.key)?);
        }
        out.write(&record)?;
    }
    out.finish()?;
    say!("{}", plural(entries.len() as u64, "object"));
    Ok(())
}

fn open(store: &Store, key: &str) -> Outcome<Reader> {
    store
        .reader(key)?
        .ok_or_else(|| Failure::data(format!("{key}: there is no such object (bucket ls lists them)")))
}
