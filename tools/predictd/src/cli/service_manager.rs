//! Tells systemd how the program is, for units of `Type=notify` (<https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>).
//! Where nobody asked, nothing is said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use diagnostics::say;
use sd_notify::NotifyState;

use crate::models::snapshot::Snapshot;

/// A boot waits for its services: so long at most for models, and then their absence is told of otherwise.
const LATEST: Duration = Duration::from_secs(60);

/// How often the models are looked at: a look costs nothing.
const PAUSE: Duration = Duration::from_millis(500);

/// Says what is served whenever it changes, and once that the service is ready: when every model is there, as `/readyz` says, or
/// when they have been waited for long enough.
pub(crate) async fn follow(snapshot: Arc<ArcSwap<Snapshot>>) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let latest = Instant::now() + LATEST;
    let (mut said, mut is_ready, mut is_failing) = (String::new(), false, false);
    loop {
        let now = snapshot.load_full();
        let status = format!("serving {now}");
        let is_due = Instant::now() >= latest || now.routes.iter().all(|route| route.served.loaded.is_some());
        let news = [NotifyState::Status(&status), NotifyState::Ready];
        let news = match (is_due && !is_ready, status != said) {
            (true, _) => &news[..],
            (false, true) => &news[..1],
            (false, false) => &[],
        };
        let told = if news.is_empty() { Ok(()) } else { sd_notify::notify(news) };
        match told {
            Ok(()) => (is_ready, said) = (is_ready || is_due, status),
            Err(error) if !std::mem::replace(&mut is_failing, true) => {
                say!("telling systemd (NOTIFY_SOCKET): {error}; trying on");
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says that the end has begun.
pub(crate) fn stopping() {
    // Who does not hear of it sees the process end.
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}
