//! Predictions as a Lambda function behind API Gateway: `predictd` without its sockets. Its README says what it promises.

mod gateway;
mod model;

use std::process::ExitCode;
use std::sync::Arc;

use function::{Call, Unit};
use lambda_runtime::Diagnostic;
use predictd::Served;
use serde_json::Value;
use tokio::sync::Mutex;

use model::Supplied;

/// Serves requests until Lambda ends the process.
pub fn serve() -> ExitCode {
    let supplied = Arc::new(Mutex::new(Supplied::default()));
    function::serve("predict", move |call| answer(call, Arc::clone(&supplied)))
}

async fn answer(call: Call, supplied: Arc<Mutex<Supplied>>) -> Result<Value, Diagnostic> {
    let served = served(&call, supplied).await;
    let response = match gateway::Asked::read(&call.event) {
        Ok(asked) => asked.answered(&served),
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
            ("Stale", Unit::Count, is(served.trouble.is_some())),
            ("Duration", Unit::Milliseconds, call.began.elapsed().as_secs_f64() * 1e3),
        ],
    );
    Ok(gateway::response(&response))
}

/// The model of now. Looking for a newer one may wait for the network, which must not stop the runtime.
async fn served(call: &Call, supplied: Arc<Mutex<Supplied>>) -> Arc<Served> {
    let mut supplied = supplied.lock_owned().await;
    let looked = tokio::task::spawn_blocking(move || supplied.look()).await;
    looked.unwrap_or_else(|error| {
        let trouble = format!("looking for the model: {error}");
        call.journal.error(&call.request, &trouble);
        Arc::new(Served { loaded: None, trouble: Some(trouble) })
    })
}
