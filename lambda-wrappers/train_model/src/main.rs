//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    train_model::serve()
}
