//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    predict_function::serve()
}
