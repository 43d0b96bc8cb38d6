use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, Parser};

use diagnostics::{EXIT_CODES, Exit};
use failure::{Failure, Outcome};

use crate::stdout::{check_stdout_is_open, stdout};

/// Runs a program: parses its arguments, calls its body, prints why it failed and gives the exit code.
///
/// `--generate man|bash|zsh|fish` prints the manual page or the shell completion made from the same source as `--help`.
pub fn start<A: Parser>(body: impl FnOnce(A) -> Outcome) -> ExitCode {
    // Never wrapped: examples are there to be copied.
    let command = A::command().term_width(0).after_help(help());
    let command = command.mut_subcommands(|sub| sub.after_help(EXIT_CODES));
    diagnostics::name_program(command.get_name());
    let outcome = match wanted_page() {
        Some(page) => generate(command, &page),
        None => match command.try_get_matches().and_then(|matches| A::from_arg_matches(&matches)) {
            Ok(arguments) => body(arguments),
            Err(error) => return usage(&error),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            diagnostics::say!("{failure}");
            ExitCode::from(Exit::from(failure.kind()).code())
        }
    }
}

fn help() -> String {
    format!(
        "{EXIT_CODES}\n\n--generate man, bash, zsh or fish prints the manual page or completions for a shell."
    )
}

/// Prints clap's own help, version or error. Help into a full disk is an I/O error like any other.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr()
        && let Err(closed) = check_stdout_is_open()
    {
        diagnostics::say!("{closed}");
        return ExitCode::from(Exit::Io.code());
    }
    let written = error.print().and_then(|()| io::stdout().flush());
    let exit = match (error.use_stderr(), written) {
        (true, _) => Exit::Usage,
        (false, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            diagnostics::say!("stdout: {error}");
            Exit::Io
        }
        (false, _) => Exit::Done,
    };
    ExitCode::from(exit.code())
}

fn wanted_page() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == "--generate").then(|| arguments.next().unwrap_or_default())
}

fn generate(mut command: Command, page: &str) -> Outcome {
    let shell = match page {
        "man" => None,
        "bash" => Some(clap_complete::Shell::Bash),
        "zsh" => Some(clap_complete::Shell::Zsh),
        "fish" => Some(clap_complete::Shell::Fish),
        _ => return Err(Failure::usage(format!("--generate {page:?} is not one of man, bash, zsh, fish"))),
    };
    let name = command.get_name().to_owned();
    let mut page = Vec::new();
    match shell {
        Some(shell) => clap_complete::generate(shell, &mut command, name, &mut page),
        None => manual(command, &mut page).map_err(|error| Failure::io("manual page", &error))?,
    }
    let mut out = stdout()?;
    out.write(&page)?;
    out.finish()
}

/// The program's page, followed by one for each subcommand.
fn manual(mut command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    command.build();
    clap_mangen::Man::new(command.clone()).render(page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        clap_mangen::Man::new(sub.clone()).render(page)?;
    }
    Ok(())
}
