//! Predictions as a Lambda function behind API Gateway: `predictd` without its sockets. Its README says what it
//! promises.

mod gateway;
mod model;

use std::process::ExitCode;
use std::sync::Arc;

use function::{Call, Unit};
use lambda_runtime::Diagnostic;
use predictd::{Served, Snapshot};
use serde_json::Value;
use tokio::sync::Mutex;

use model::Approved;

/// Serves requests until Lambda ends the process.
pub fn serve() -> ExitCode {
    let approved = Arc::new(Mutex::new(Approved::default()));
    function::serve("predict", move |call| answer(call, Arc::clone(&approved)))
}

async fn answer(call: Call, approved: Arc<Mutex<Approved>>) -> Result<Value, Diagnostic> {
    let served = served(&call, approved).await;
    let response = match gateway::Asked::read(&call.event) {
        Ok(asked) => asked.answered(&Snapshot::only(served.clone())),
        Err(reason) => {
            // Somebody invoked it without API Gateway: that is a mistake to be seen, not an answer to a client.
            call.journal.error(&call.request, &reason);
            return Err(Diagnostic { error_type: "Exit65".to_owned(), error_message: reason });
        }
    };
    let is = |yes: bool| if yes { 1.0 } else { 0.0 };
    call.journal.count(
        &call.request,
        &[
            ("Requests", Unit::Count, 1.0),
            ("Refused", Unit::Count, is((400..500).contains(&response.status))),
            ("Failures", Unit::Count, is(response.status >= 500)),
            ("Stale", Unit::Count, is(served.stale_reason.is_some())),
            ("Duration", Unit::Milliseconds, call.began.elapsed().as_secs_f64() * 1e3),
        ],
    );
    Ok(gateway::response(&response))
}

/// The model of now. Looking for a newer one may wait for the network, which must not stop the runtime.
async fn served(call: &Call, approved: Arc<Mutex<Approved>>) -> Served {
    let mut approved = approved.lock_owned().await;
    let looked = tokio::task::spawn_blocking(move || approved.look()).await;
    looked.unwrap_or_else(|error| {
        let reason = format!("looking for the model: {error}");
        call.journal.error(&call.request, &reason);
        Served { loaded: None, stale_reason: Some(reason) }
    })
}
