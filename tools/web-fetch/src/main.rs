//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    cli::start(web_fetch::run)
}
