use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;

/// Ends the SDK's retries of one request when they have taken too long: the SDK itself counts attempts, and a minute without
/// S3 is many quick refusals or few slow silences.
pub(crate) struct Patience<E> {
    limit: Duration,
    /// Since when the request fails.
    since: Mutex<Option<Instant>>,
    of: PhantomData<fn() -> E>,
}

impl<E> Patience<E> {
    pub(crate) fn new(limit: Duration) -> Patience<E> {
        Patience { limit, since: Mutex::new(None), of: PhantomData }
    }
}

impl<E: ProvideErrorMetadata + fmt::Debug + Send + Sync + std::error::Error + 'static> ClassifyRetry
    for Patience<E>
{
    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        self.classify_retry_v2(ctx, &RetryAction::NoActionIndicated)
    }

    fn classify_retry_v2(&self, ctx: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        let mine = if wants_another_try::<E>(ctx) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        };
        if !previous.should_retry() && !mine.should_retry() {
            return mine;
        }
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.get_or_insert_with(Instant::now).elapsed() < self.limit {
            mine
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "patience"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

impl<E> fmt::Debug for Patience<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patience({:?})", self.limit)
    }
}

/// Two conditional writes at the same moment: S3 decides neither of them and asks for another try. So it does for what was altered,
/// cut or slow on its way.
fn wants_another_try<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    ctx: &InterceptorContext,
) -> bool {
    let Some(Err(error)) = ctx.output_or_error() else { return false };
    error
        .as_operation_error()
        .and_then(|error| error.downcast_ref::<E>())
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| {
            let decided_nothing = ["ConditionalRequestConflict", "OperationAborted"];
            decided_nothing.contains(&code)
                || matches!(code, "BadDigest" | "IncompleteBody" | "RequestTimeout")
        })
}
