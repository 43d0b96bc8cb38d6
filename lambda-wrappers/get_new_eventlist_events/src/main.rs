//! See README.md beside this folder.

fn main() -> std::process::ExitCode {
    get_new_eventlist_events::serve()
}
