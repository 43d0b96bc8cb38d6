//! `holdout`: rows of a CSV to two sides. Its README says what it promises.

use std::io::{Read, Write};
use std::path::PathBuf;

use atomic_file::OutFile;
use clap::{ArgGroup, Parser};
use cli::Stdout;
use diagnostics::{count, say};
use failure::{Failure, IoContext, Outcome};
use recipe::{Recipe, Split};
use rows::{Ending, Row, Table, Text};

/// Sends each row of a CSV to one of two sides: held-out rows to a file, the others to stdout.
///
/// Example: holdout --recipe scripts/golf/recipe.toml --held-out test.csv < all.csv > train.csv
///          holdout --by player_id --share 0.2 --held-out test.csv < all.csv > train.csv
///          holdout --time event_completed --from 2026-01-01 --held-out test.csv < all.csv > train.csv
#[derive(Parser)]
#[command(name = "holdout", version, verbatim_doc_comment)]
#[command(group(ArgGroup::new("rule").required(true).args(["recipe", "by", "time"])))]
pub struct Args {
    /// CSV; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// Where held-out rows go.
    #[arg(long, value_name = "FILE")]
    held_out: PathBuf,
    /// By the [split] of this prediction problem (TOML): the rule that `fit` keeps rows from training by.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// By a hash of these columns, separated by commas: rows that agree in all of them stay together.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "share")]
    by: Vec<String>,
    /// Share of the groups that is held out.
    #[arg(long, value_name = "SHARE", requires = "by")]
    share: Option<f64>,
    /// Changes which groups are held out.
    #[arg(long, default_value = "", requires = "by")]
    salt: String,
    /// By time: rows whose column is not below --from are held out.
    #[arg(long, value_name = "COLUMN", requires = "from")]
    time: Option<String>,
    /// The first time that is held out, written like the column's cells: they are compared as text.
    #[arg(long, value_name = "TIME", requires = "time")]
    from: Option<String>,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// What decides.
enum Rule {
    Groups(Split),
    Time { column: String, from: String },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let rule = rule(&args)?;
    let input = cli::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let place = args.held_out.display().to_string();
    let mut held_out = OutFile::create(&args.held_out)?;
    let (kept, held) = split(table, &rule, cli::stdout()?, &mut held_out, &place)?;
    held_out.publish()?;
    say!("{} rows: {} to stdout, {} held out", count(kept + held), count(kept), count(held));
    Ok(())
}

fn rule(args: &Args) -> Outcome<Rule> {
    if let Some(path) = &args.recipe {
        let split = Recipe::load(path, input_files::read_text)?.split;
        if split.walk_forward.is_some() {
            return Err(Failure::config(format!(
                "{}: [split] walk_forward holds no rows out (--time and --from do)",
                path.display()
            )));
        }
        return Ok(Rule::Groups(split));
    }
    if let (Some(column), Some(from)) = (&args.time, &args.from) {
        return Ok(Rule::Time { column: column.clone(), from: from.clone() });
    }
    let holdout = args.share.unwrap_or_default();
    if !(0.0..1.0).contains(&holdout) {
        return Err(Failure::usage(format!("--share {holdout}: a fraction from 0 up to, not including, 1")));
    }
    Ok(Rule::Groups(Split { by: args.by.clone(), salt: args.salt.clone(), holdout, walk_forward: None }))
}

/// Copies every row to one side, both with the header; counts them. Memory does not grow with the input.
fn split<R: Read>(
    mut table: Table<R>,
    rule: &Rule,
    mut kept: Stdout,
    mut held_out: impl Write,
    place: &str,
) -> Outcome<(u64, u64)> {
    let columns = match rule {
        Rule::Groups(split) => {
            split.by.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?
        }
        Rule::Time { column, .. } => vec![table.require(column)?],
    };
    let is_held_out = |row: &Row<'_>| {
        let mut cells = columns.iter().map(|&at| row.cell(at));
        match rule {
            Rule::Groups(split) => split.holds_out(cells),
            Rule::Time { from, .. } => cells.any(|cell| cell >= from.as_bytes()),
        }
    };
    let mut line = Text::default();
    table.header().iter().for_each(|name| line.push(name.as_bytes()));
    line.end_row();
    kept.send(line.bytes())?;
    held_out.write_all(line.bytes()).place(place)?;
    let (mut kept_rows, mut held_rows) = (0, 0);
    while let Some(row) = table.next_row()? {
        line.clear();
        row.cells().for_each(|cell| line.push(cell));
        line.end_row();
        if is_held_out(&row) {
            held_out.write_all(line.bytes()).place(place)?;
            held_rows += 1;
        } else {
            kept.write(line.bytes())?;
            kept_rows += 1;
        }
    }
    kept.finish()?;
    held_out.flush().place(place)?;
    Ok((kept_rows, held_rows))
}
