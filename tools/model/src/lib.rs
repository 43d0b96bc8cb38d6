//! `model`: what a model file says, for people. Its README says what it promises.
//!
//! `show.rs` and `diff.rs` write text, `report.rs` a page with what `probe.rs` finds out and `chart.rs` draws, `onnx` the
//! model for other programs. `recipe` needs no file here: crate `recipe` writes it.

mod diff;
mod onnx;
mod probe;
mod report;
mod scores;
mod show;

use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use diagnostics::printable;
use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use recipe::Layers;

/// Shows what a model file says: a card, the difference of two, a page with pictures, the model for other programs; and what a recipe says.
///
/// Example: model show model.json
///          model report model.json --rows all.csv > report.html
///          model export --onnx model.json > model.onnx
///          model recipe scripts/golf/recipe.toml
#[derive(Parser)]
#[command(name = "model", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prints a card: what it predicts, from what, how well, and how it was chosen.
    Show {
        /// The model file.
        model: PathBuf,
    },
    /// Prints what two models differ in.
    Diff {
        /// A model file.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Writes one HTML page that needs nothing else: how good it is on rows that it never saw, what matters to it, and how it was chosen.
    Report {
        /// The model file.
        model: PathBuf,
        /// CSV from `clean`, with the target; those that the model never trained on are used.
        #[arg(long, value_name = "FILE")]
        rows: PathBuf,
        /// Start of every random choice.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes the model for programs that are not Fairway's.
    Export {
        /// As ONNX: an input of one column for each feature, in double precision; NaN is a null, of texts the empty one.
        #[arg(long, required = true)]
        onnx: bool,
        /// The model file.
        model: PathBuf,
    },
    /// Prints a recipe merged with the files that it extends, as TOML; a comment behind each value names the file that it is from.
    Recipe {
        /// The prediction problem (TOML).
        recipe: PathBuf,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.verb {
        Verb::Show { model } => send(printable(&show::card(&Model::open(&model)?)).as_bytes()),
        Verb::Diff { first, second } => {
            send(printable(&diff::differences(&Model::open(&first)?, &Model::open(&second)?)).as_bytes())
        }
        Verb::Report { model, rows, seed } => {
            send(report::page(&Model::open(&model)?, &rows, seed)?.as_bytes())
        }
        Verb::Export { .. } if stdout().is_terminal() => {
            Err(Failure::usage("an ONNX file is not for a terminal: send it to a file with >"))
        }
        Verb::Export { model, .. } => send(&onnx::file(&Model::open(&model)?)?),
        Verb::Recipe { recipe } => {
            let layers = Layers::load(&recipe, input_files::read_text)?;
            send(layers.text_with_origins()?.as_bytes())?;
            // After it: where something is wrong, the text shows from where it came.
            layers.recipe().map(drop)
        }
    }
}

fn send(bytes: &[u8]) -> Outcome {
    let mut out = cli::stdout()?;
    out.write_all(bytes).and_then(|()| out.flush()).place("stdout")
}
