//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    ec2_switch::serve()
}
