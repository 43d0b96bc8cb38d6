//! Starts what the flags and the file of settings ask for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use diagnostics::say;
use failure::{Failure, Kind, Outcome};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::api::router::ROUTES;
use crate::cli::args::Args;
use crate::cli::config::Settings;
use crate::cli::{healthcheck, keys, service_manager};
use crate::http::auth::{self, KeyFile};
use crate::http::server;
use crate::http::service::AppState;
use crate::models::args::ModelArg;
use crate::models::watcher::ModelSet;
use crate::telemetry::log_writer::{LogHandle, LogWriter};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::per_thread;

/// Runs the program until SIGTERM or SIGINT.
pub fn run(args: Args) -> Outcome {
    if let Some(command) = args.command {
        return keys::run(command);
    }
    if args.healthy {
        return healthcheck::ask(args.listen);
    }
    if !args.listen.ip().is_loopback() && !args.open && args.keys.is_none() {
        return Err(Failure::usage(format!(
            "--listen {}: other machines can reach this address, and whoever reaches it can ask (give --keys, say \
             --open if that is meant, or listen on 127.0.0.1)",
            args.listen
        )));
    }
    let settings = Settings::of(&args)?;
    let wanted = ModelArg::of(&args.model, args.bucket.as_ref(), &settings.routes)?;
    let models = ModelSet::open(wanted, args.cache.as_deref(), settings.rows)?;
    check_descriptors()?;
    thread_pool::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("starting threads", &error))?;
    let outcome = runtime.block_on(serve(args, settings, models));
    // A look at a disk that hangs must not keep the program from ending.
    runtime.shutdown_background();
    outcome
}

/// Fails where the process may open too few files to begin: tokio panics where it gets none for its signals, and workers
/// would be missed only after it was said that they serve.
fn check_descriptors() -> Outcome {
    let wanted = 8 + 4 * per_thread::workers();
    // Not by opening a file: an image may have none.
    let opened: io::Result<Vec<OwnedFd>> =
        (0..wanted).map(|_| io::stderr().as_fd().try_clone_to_owned()).collect();
    opened.map(drop).map_err(|error| {
        Failure::new(
            Kind::Io,
            format!("{wanted} more open files, which serving takes: {error} (raise ulimit -n)"),
        )
    })
}

async fn serve(args: Args, settings: Settings, models: ModelSet) -> Outcome {
    // Before the line below is said: whoever has read it may send signals.
    let on = |kind| signal(kind).map_err(|error| Failure::io("listening for signals", &error));
    let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let keys = match &args.keys {
        Some(file) => Some(auth::follow(KeyFile::parse(file), settings.poll)?),
        None => None,
    };
    let metrics = Arc::new(Metrics::new(ROUTES.iter().map(|route| route.path)));
    let mut writers = Vec::new();
    let mut log = |path: &Option<PathBuf>| -> Outcome<Option<LogHandle>> {
        let Some(path) = path else { return Ok(None) };
        let counting = metrics.clone();
        let (log, writer) = LogHandle::begin(path, move |lines| counting.dropped(lines))?;
        writers.push(writer);
        Ok(Some(log))
    };
    let (predictions, requests) = (log(&args.log)?, log(&args.access_log)?);
    let snapshot = models.snapshot();
    models.follow(settings.poll).await?;

    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        let remedy = "choose another address with --listen, or stop the program that has it";
        Failure::new(Kind::Io, format!("{}: cannot listen: {error} ({remedy})", args.listen))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::io(args.listen, &error))?;

    let now = snapshot.load_full();
    for reason in now.routes.iter().filter_map(|route| route.served.stale_reason.as_ref()) {
        say!("{reason}");
    }
    say!("serving {now} on http://{address} (POST {})", now.example());

    tokio::spawn(service_manager::follow(snapshot.clone()));
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        service_manager::stopping();
    };
    let state = AppState { snapshot, keys, metrics, predictions, requests };
    server::serve(listener, state, &args.cors, settings.limits, stop).await?;
    // Every line of what was answered is in the logs before the end.
    writers.into_iter().for_each(LogWriter::finish);
    Ok(())
}
