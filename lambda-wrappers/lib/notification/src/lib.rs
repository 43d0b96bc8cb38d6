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
    /// Reads an event of S3, or one of a queue whose messages are events of S3. `None`: it is neither.
    pub fn read(event: &Value) -> Option<Notification> {
        let records = part::<Records>(event)?.records;
        let mut notification = Notification::default();
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
        match part::<Records>(&body) {
            Some(body) => body.records.iter().for_each(|record| self.record(record)),
            None if body.get("Event").is_some_and(|event| event == "s3:TestEvent") => self.other += 1,
            None => self.odd += 1,
        }
    }

    fn record(&mut self, record: &Value) {
        match part::<Record>(record) {
            Some(Record { event_name, s3 }) if event_name.starts_with("ObjectCreated:") => {
                self.arrived.push(Object { bucket: s3.bucket.name, key: decoded(&s3.object.key) });
            }
            Some(_) => self.other += 1,
            None => self.odd += 1,
        }
    }
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
        for event in [json!({"source": "aws.events"}), json!(null), json!([]), json!({"Records": 1})] {
            assert_eq!(Notification::read(&event), None, "{event}");
        }
    }
}
