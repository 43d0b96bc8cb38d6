use std::io::Write;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The name of the process's function, for words that come without a request.
static FUNCTION: OnceLock<String> = OnceLock::new();

/// The namespace of every metric.
const NAMESPACE: &str = "Fairway";

/// A function's log, on standard output: a line is a JSON object, and counts are lines in CloudWatch's embedded metric
/// format (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
#[derive(Debug)]
pub struct Journal {
    function: String,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
    /// Anything else; its name says what.
    None,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    function: &'a str,
    request: &'a str,
    message: &'a str,
}

/// Says something that belongs to no request in particular.
pub(crate) fn say_of_none(words: &str) {
    let time = Timestamp::now().to_string();
    write(&Line {
        time,
        level: "INFO",
        function: FUNCTION.get().map_or("", String::as_str),
        request: "",
        message: words,
    });
}

impl Journal {
    pub(crate) fn new(program: &str) -> Journal {
        // Another stack's functions have a prefix, and its alarms ask for the whole name.
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| program.to_owned());
        // Another one in the same process (a test) keeps the first name there.
        let _ = FUNCTION.set(function.clone());
        Journal { function }
    }

    /// Says something of a request.
    pub fn say(&self, request: &str, words: &str) {
        self.line("INFO", request, words);
    }

    /// Says something that a person should see.
    pub fn error(&self, request: &str, words: &str) {
        self.line("ERROR", request, words);
    }

    fn line(&self, level: &'static str, request: &str, message: &str) {
        let time = Timestamp::now().to_string();
        write(&Line { time, level, function: &self.function, request, message });
    }

    /// Counts. One line holds all metrics of a request, so that they can be read together, too.
    pub fn count(&self, request: &str, metrics: &[(&str, Unit, f64)]) {
        let described: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": Timestamp::now().as_millisecond(),
                "CloudWatchMetrics":
                    [{"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": described}],
            }),
        );
        line.insert("Function".to_owned(), json!(self.function));
        line.insert("request".to_owned(), json!(request));
        for (name, _, value) in metrics {
            line.insert((*name).to_owned(), json!(value));
        }
        write(&line);
    }
}

/// One write a line, for lines of a script's stages and our own must not mix. A log that cannot be written is nobody's business.
fn write(line: &impl Serialize) {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&text).and_then(|()| out.flush());
}
