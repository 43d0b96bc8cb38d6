use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::journal::Journal;

/// No function runs longer: Lambda's own limit.
const LONGEST: Duration = Duration::from_secs(900);

/// One invocation.
#[derive(Clone)]
pub struct Call {
    /// What it was started with.
    pub event: Arc<Value>,
    /// Where its words go.
    pub journal: Arc<Journal>,
    /// Lambda's number of it.
    pub request: String,
    /// The function's own ARN, with the version or alias that was asked for.
    pub function: String,
    /// When it began.
    pub began: Instant,
    /// When Lambda ends the process.
    pub deadline: Instant,
}

impl Call {
    pub(crate) fn new(event: LambdaEvent<Value>, journal: Arc<Journal>) -> Call {
        let context = event.context;
        let began = Instant::now();
        // Lambda says an instant by its clock. If ours is so wrong that the difference makes no sense, half of the longest
        // time is as good a guess as any.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).checked_sub(now);
        let left = left.filter(|left| !left.is_zero() && *left <= LONGEST).unwrap_or(LONGEST / 2);
        Call {
            event: Arc::new(event.payload),
            journal,
            request: context.request_id,
            function: context.invoked_function_arn,
            began,
            deadline: began + left,
        }
    }

    /// How much time is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Says something in the log.
    pub fn say(&self, words: &str) {
        self.journal.say(&self.request, words);
    }
}
