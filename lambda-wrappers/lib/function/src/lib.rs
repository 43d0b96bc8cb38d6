#![doc = include_str!("../README.md")]

mod answer;
mod call;
mod journal;
mod package;
mod script;

use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

pub use answer::{Answer, Verdict};
pub use call::Call;
pub use journal::{Journal, Unit};
pub use package::Package;
pub use script::{Ran, Script};

/// Serves one event after the other until Lambda ends the process. An error is what Lambda shall try again.
pub fn serve<F>(name: &'static str, body: impl Fn(Call) -> F) -> ExitCode
where
    F: Future<Output = Result<Value, Diagnostic>>,
{
    let journal = Arc::new(Journal::new(name));
    // What libraries say is a line of the log, too.
    diagnostics::speak_through(journal::say_of_none);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            journal.error("", &format!("starting threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let handler = |event: LambdaEvent<Value>| body(Call::new(event, Arc::clone(&journal)));
    match runtime.block_on(lambda_runtime::run(service_fn(handler))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal.error("", &format!("Lambda's runtime interface: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// As [`serve`], for functions that end in a verdict: it is logged, counted and answered; what may pass becomes an error.
pub fn judge<F>(name: &'static str, body: impl Fn(Call) -> F) -> ExitCode
where
    F: Future<Output = failure::Outcome<Answer>>,
{
    serve(name, |call| {
        let done = body(call.clone());
        async move {
            let answer = done.await.unwrap_or_else(|failure| Answer::failed(&failure));
            answer.tell(&call)
        }
    })
}
