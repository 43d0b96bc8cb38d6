//! See README.md beside this folder.

/// A jq program makes and drops small values without end: with the system's allocator it takes twice the time, and two
/// threads hold one another up.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::start(web_extract::run)
}
