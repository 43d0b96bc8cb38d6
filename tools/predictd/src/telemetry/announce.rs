//! Words on stderr from where nothing may wait.

use diagnostics::say;
use tokio::task::JoinHandle;

/// Says it on a thread that may wait for whoever reads stderr. Dropping the handle leaves it said.
pub(crate) fn announce(line: String) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || say!("{line}"))
}
