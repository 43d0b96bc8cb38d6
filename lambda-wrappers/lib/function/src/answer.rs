use diagnostics::Exit;
use failure::Failure;
use lambda_runtime::Diagnostic;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::journal::Unit;
use crate::script::Ran;

/// What an exit code means to whoever started the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// Done, and the answer is no: a model was refused, the registry is on hold.
    No,
    /// There was nothing to do.
    Skipped,
    /// It may pass: Lambda is told that it failed, and tries again.
    Later,
    /// It stays until a person changes something: trying again would only repeat it. An alarm counts these.
    Failed,
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Answer {
    verdict: Verdict,
    exit: i32,
    message: String,
    fields: Map<String, Value>,
    metrics: Vec<(&'static str, Unit, f64)>,
}

impl Verdict {
    fn of(code: i32) -> Verdict {
        const NO: i32 = Exit::No as i32;
        const UNAVAILABLE: i32 = Exit::Unavailable as i32;
        const IO: i32 = Exit::Io as i32;
        match code {
            0 => Verdict::Done,
            NO => Verdict::No,
            // A full disk is gone with the sandbox; what was killed runs again.
            UNAVAILABLE | IO | 128.. => Verdict::Later,
            _ => Verdict::Failed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::No => "no",
            Verdict::Skipped => "skipped",
            Verdict::Later => "later",
            Verdict::Failed => "failed",
        }
    }
}

impl Answer {
    /// How a script ended.
    pub fn of(ran: &Ran) -> Answer {
        Answer::new(Verdict::of(ran.code), ran.code, ran.last_words.clone())
    }

    /// Done without a script.
    pub fn done(words: impl Into<String>) -> Answer {
        Answer::new(Verdict::Done, 0, words.into())
    }

    /// Nothing to do, and why.
    pub fn skipped(words: impl Into<String>) -> Answer {
        Answer::new(Verdict::Skipped, 0, words.into())
    }

    /// What kept the function from its work.
    pub fn failed(failure: &Failure) -> Answer {
        let code = i32::from(Exit::from(failure.kind()).code());
        Answer::new(Verdict::of(code), code, failure.to_string())
    }

    fn new(verdict: Verdict, exit: i32, message: String) -> Answer {
        Answer { verdict, exit, message, fields: Map::new(), metrics: Vec::new() }
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Adds a field to the response.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Answer {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a metric.
    #[must_use]
    pub fn counting(mut self, name: &'static str, unit: Unit, value: f64) -> Answer {
        self.metrics.push((name, unit, value));
        self
    }

    /// Logs it, counts it, and makes the response that Lambda gets.
    pub(crate) fn tell(self, call: &Call) -> Result<Value, Diagnostic> {
        let Answer { verdict, exit, message, mut fields, mut metrics } = self;
        let count = |is: bool| if is { 1.0 } else { 0.0 };
        metrics.extend([
            ("Runs", Unit::Count, 1.0),
            ("Failures", Unit::Count, count(verdict == Verdict::Failed)),
            ("Retries", Unit::Count, count(verdict == Verdict::Later)),
            ("Duration", Unit::Milliseconds, call.began.elapsed().as_secs_f64() * 1e3),
        ]);
        call.journal.count(&call.request, &metrics);
        let words = format!("{}, exit code {exit}: {message}", verdict.name());
        match verdict {
            Verdict::Later | Verdict::Failed => call.journal.error(&call.request, &words),
            Verdict::Done | Verdict::No | Verdict::Skipped => call.say(&words),
        }
        if verdict == Verdict::Later {
            return Err(Diagnostic { error_type: format!("Exit{exit}"), error_message: message });
        }
        fields.insert("outcome".to_owned(), json!(verdict.name()));
        fields.insert("exit".to_owned(), json!(exit));
        fields.insert("message".to_owned(), json!(message));
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for (code, verdict) in [
            (0, Verdict::Done),
            (1, Verdict::No),
            (2, Verdict::Failed),
            (65, Verdict::Failed),
            (69, Verdict::Later),
            (74, Verdict::Later),
            (77, Verdict::Failed),
            (78, Verdict::Failed),
            (127, Verdict::Failed),
            (137, Verdict::Later),
        ] {
            assert_eq!(Verdict::of(code), verdict, "{code}");
        }
    }
}
