//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    manners::start(model::run)
}
