//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    cli::start(score_grid_tool::run)
}
