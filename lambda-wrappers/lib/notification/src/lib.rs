#![doc = include_str!("../README.md")]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a function was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The objects that arrived, in the order of the event; an object may stand there twice.
    pub arrived: Vec<Object>,
    /// Messages that say something else: S3's test when a notification is set up, objects that were removed.
    pub other: usize,
    /// Messages that make no sense.
    pub odd: usize,
}

/// An object by its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// Decoded.
    pub key: String,
}

#[derive(Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// A message of a queue.
#[derive(Deserialize)]
struct Message {
    body: String,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3,
}

#[derive(Deserialize)]
struct S3 {
    bucket: Bucket,
    object: Key,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

impl Notification {
    /// Reads an event of S3, also by way of EventBridge, or one of a queue whose messages are events of S3, also by way of SNS. `None`: it
    /// is none of these.
    pub fn read(event: &Value) -> Option<Notification> {
        let mut notification = Notification::default();
        if notification.bridged(event) {
            return Some(notification);
        }
        let records = match part::<Records>(event) {
            Some(records) => records.records,
            None if is_test(event) => {
                notification.other += 1;
                return Some(notification);
            }
            // It says that something has arrived, and not what.
            None if event.get("Records").is_some() => {
                notification.odd += 1;
                return Some(notification);
            }
            None => return None,
        };
        for record in &records {
            match part::<Message>(record) {
                Some(message) => notification.message(&message.body),
                None => notification.record(record),
            }
        }
        Some(notification)
    }

    fn message(&mut self, body: &str) {
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            self.odd += 1;
            return;
        };
        // SNS wraps what it passes on.
        if let Some(inner) =
            body.get("Message").and_then(Value::as_str).filter(|_| body.get("TopicArn").is_some())
        {
            return self.message(inner);
        }
        match part::<Records>(&body) {
            Some(body) => body.records.iter().for_each(|record| self.record(record)),
            None if is_test(&body) => self.other += 1,
            None if self.bridged(&body) => {}
            None => self.odd += 1,
        }
    }

    /// Reads an event of EventBridge; false if it is none of S3's.
    fn bridged(&mut self, event: &Value) -> bool {
        if event.get("source").is_none_or(|source| source != "aws.s3") {
            return false;
        }
        let is_new = event.get("detail-type").is_some_and(|what| what == "Object Created");
        match event.get("detail").and_then(part::<S3>) {
            // Its keys are not encoded.
            Some(S3 { bucket, object }) if is_new => {
                self.arrived.push(Object { bucket: bucket.name, key: object.key });
            }
            Some(_) => self.other += 1,
            None => self.odd += 1,
        }
        true
    }

    fn record(&mut self, record: &Value) {
        match part::<Record>(record) {
            Some(Record { event_name, s3 }) if is_arrival(&event_name) => {
                self.arrived.push(Object { bucket: s3.bucket.name, key: decoded(&s3.object.key) });
            }
            Some(_) => self.other += 1,
            None => self.odd += 1,
        }
    }
}

/// MinIO and Ceph write the service's name in front.
fn is_arrival(event_name: &str) -> bool {
    event_name.strip_prefix("s3:").unwrap_or(event_name).starts_with("ObjectCreated:")
}

/// What S3 sends when a notification is set up.
fn is_test(event: &Value) -> bool {
    event.get("Event").is_some_and(|event| event == "s3:TestEvent")
}

fn part<T: DeserializeOwned>(json: &Value) -> Option<T> {
    T::deserialize(json).ok()
}

fn decoded(key: &str) -> String {
    percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(name: &str, key: &str) -> Value {
        json!({"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}})
    }

    #[test]
    fn keys_are_decoded_as_a_forms_fields() {
        for (written, key) in
            [("training_data%2Fa+b.csv", "training_data/a b.csv"), ("a%2Bb", "a+b"), ("%C3%BC", "ü")]
        {
            let event = json!({"Records": [record("ObjectCreated:Put", written)]});
            assert_eq!(Notification::read(&event).unwrap().arrived[0].key, key);
        }
    }

    #[test]
    fn one_odd_message_does_not_hide_the_others() {
        let body = |value: Value| json!({"messageId": "1", "body": value.to_string()});
        let event = json!({"Records": [
            body(json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})),
            {"body": "no json"},
            body(json!({"Records": [record("ObjectRemoved:Delete", "x"), record("ObjectCreated:Put", "y"), {"s3": 1}]})),
            body(json!([1])),
        ]});
        let read = Notification::read(&event).unwrap();
        assert_eq!(read.arrived, [Object { bucket: "b".to_owned(), key: "y".to_owned() }]);
        assert_eq!((read.other, read.odd), (2, 3));
    }

    #[test]
    fn a_schedule_is_no_notification() {
        for event in [json!({"source": "aws.events"}), json!(null), json!([])] {
            assert_eq!(Notification::read(&event), None, "{event}");
        }
    }

    #[test]
    fn the_same_by_other_ways() {
        let counts =
            |event: &Value| Notification::read(event).map(|read| (read.arrived.len(), read.other, read.odd));
        assert_eq!(counts(&json!({"Event": "s3:TestEvent", "Bucket": "b"})), Some((0, 1, 0)));
        assert_eq!(counts(&json!({"Records": null})), Some((0, 0, 1)));
        assert_eq!(counts(&json!({"Records": {}})), Some((0, 0, 1)));
        assert_eq!(counts(&json!({"Records": 1})), Some((0, 0, 1)));
        assert_eq!(counts(&json!({})), None);
        let bridged = |what: &str, key: &str| json!({"source": "aws.s3", "detail-type": what, "detail": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}});
        let read = Notification::read(&bridged("Object Created", "training_data/a b.csv")).unwrap();
        assert_eq!(
            read.arrived,
            [Object { bucket: "b".to_owned(), key: "training_data/a b.csv".to_owned() }]
        );
        assert_eq!(counts(&bridged("Object Deleted", "x")), Some((0, 1, 0)));
        assert_eq!(counts(&json!({"source": "aws.s3", "detail-type": "Object Created"})), Some((0, 0, 1)));
        assert_eq!(counts(&json!({"source": "aws.events"})), None, "a clock's");
        assert_eq!(counts(&json!({"Records": [record("s3:ObjectCreated:Put", "x")]})), Some((1, 0, 0)));
        let inner = json!({"Records": [record("ObjectCreated:Put", "x")]}).to_string();
        let sns = json!({"Type": "Notification", "TopicArn": "t", "Message": inner}).to_string();
        assert_eq!(counts(&json!({"Records": [{"body": sns}]})), Some((1, 0, 0)));
        let queued = bridged("Object Created", "x").to_string();
        assert_eq!(counts(&json!({"Records": [{"body": queued}]})), Some((1, 0, 0)));
    }
}
