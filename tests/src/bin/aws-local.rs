//! A year on AWS, played on this machine. See scripts/aws/local.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what does not go as it should ends the play")]

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use pipelines::{Archive, Cloud, Replay, Served, Session, script};
use serde_json::{Value, json};
use servers::{Emulator, MariaDb, Seaweed};

const BODY: &str = concat!(
    r#"{"sg_total":2.1,"driving_dist":291.4,"driving_acc":0.64,"gir":0.72,"scrambling":0.6,"prox_rgh":41.2,"#,
    r#""prox_fw":29.8,"great_shots":4,"poor_shots":2}"#
);

fn main() {
    let began = Instant::now();
    let every: usize = std::env::args().nth(1).map_or(1, |weeks| weeks.parse().expect("a number of weeks"));
    let mut archive = Archive::new();
    let first = date(2025, 1, 7);
    archive.be(&first.to_string());
    // Two of the whole seasons take longer than a run may fetch, and one call is refused for a moment.
    let folder = archive.folder().display().to_string();
    let long = ["1:hang:36500@event_id=all", "3:hang:36500@event_id=all"];
    let replay = Replay::with(&[&folder], &["3:429r:2", long[0], long[1]]);
    tell(
        "",
        "MariaDB for RDS, SeaweedFS for S3, moto for Secrets Manager, AWS's own emulator for Lambda, \
         replayed answers for DataGolf",
    );
    let cloud = Cloud::new(&replay, MariaDb::shared(), Seaweed::shared());
    let mut year = Year {
        cloud,
        replay,
        known: BTreeMap::new(),
        model: Value::Null,
        served: None,
        answer: String::new(),
    };

    // Seasons of the past, in runs that are too short for them.
    year.tuesday(first, Duration::from_secs(60));
    let mut day = first;
    loop {
        for _ in 0..every {
            day = day.checked_add(1.week()).unwrap();
        }
        if day.year() > 2025 {
            break;
        }
        archive.be(&day.to_string());
        year.tuesday(day, Duration::from_secs(120));
    }
    let day = date(2026, 1, 6);
    archive.correct();
    archive.be(&day.to_string());
    tell(
        &day.to_string(),
        "DataGolf corrects an event (its date, its name, a score, one player less) and delivers one that was missing",
    );
    year.tuesday(day, Duration::from_secs(120));
    year.rollback(day);
    year.compare(&archive, day);
    tell("", &format!("all of it in {:.0} s; nothing is left running", began.elapsed().as_secs_f64()));
}

/// What the year has come to.
struct Year {
    cloud: Cloud,
    replay: Replay,
    /// The bucket's training data by key, as it was last seen.
    known: BTreeMap<String, String>,
    /// The approved model.
    model: Value,
    served: Option<Served>,
    /// The server's last answer.
    answer: String,
}

impl Year {
    /// A Tuesday: the schedule, what follows from it by itself, and predictions.
    fn tuesday(&mut self, day: Date, time: Duration) {
        let now = format!("{day}T12:00:00Z");
        self.cloud.set("FAIRWAY_NOW", &now);
        self.cloud.session.set("FAIRWAY_NOW", &now);
        self.cloud.set("FAIRWAY_POLL", "0");
        let day = day.to_string();
        self.refresh(&day, time);
        let arrived = self.arrived();
        if arrived.is_empty() {
            return;
        }
        self.train(&day, &arrived);
        self.predict(&day);
    }

    fn refresh(&mut self, day: &str, time: Duration) {
        let refresh = self.cloud.refresh(time);
        let mut event = include_str!("../../../fixtures/lambda/schedule.json").to_owned();
        for _ in 0..20 {
            let invoked = refresh.invoke(&event);
            if invoked.failed {
                tell(day, &format!("refresh    tried again by Lambda: {}", invoked.body));
                continue;
            }
            let answer = answered(&invoked.body, &refresh);
            let (stored, left) = (&answer["stored"], &answer["counts"]["unfetched"]);
            let words = format!("refresh    {stored} events stored, {left} left");
            match self.cloud.dispatcher.next() {
                Some(started) => {
                    tell(day, &format!("{words}: it starts itself again"));
                    event = started.event;
                }
                None => {
                    if stored != 0 {
                        tell(day, &words);
                    }
                    return;
                }
            }
        }
        panic!("refresh does not end:\n{}", refresh.log());
    }

    /// The keys that S3 would tell of: what is new or changed since it was last looked.
    fn arrived(&mut self) -> Vec<String> {
        let listing = self.cloud.session.ok("bucket ls training_data/ --sha256 | tail -n +2");
        let line = |line: &str| line.split_once(',').map(|(key, rest)| (key.to_owned(), rest.to_owned()));
        let now: BTreeMap<String, String> = listing.lines().filter_map(line).collect();
        let is_new = |(key, _): &(&String, &String)| self.known.get(*key) != now.get(*key);
        let new = now.iter().filter(is_new).map(|(key, _)| key.clone()).collect();
        self.known = now;
        new
    }

    /// Notifications twice and in disorder, through the queue.
    fn train(&mut self, day: &str, arrived: &[String]) {
        let mut keys: Vec<&str> = arrived.iter().rev().chain(arrived).map(String::as_str).collect();
        keys.rotate_left(arrived.len() / 2);
        let train = self.cloud.train();
        let answer = answered(&train.invoke(&self.cloud.arrived(&keys)).body, &train);
        assert_eq!(answer["outcome"], "done", "{answer}\n{}", train.log());
        let approved = answer["approved"]["key"].clone();
        let what = if approved == self.model { "stays approved" } else { "is approved" };
        let (count, key) = (arrived.len(), approved.as_str().unwrap());
        tell(day, &format!("train      {count} new CSVs, {} notifications: {key} {what}", keys.len()));
        self.model = approved;
    }

    /// The server follows, and the API says the same.
    fn predict(&mut self, day: &str) {
        let session = &self.cloud.session;
        let served = self.served.get_or_insert_with(|| Served::start(session));
        self.answer = served.ask_until_not(session, &self.answer);
        let api = self.cloud.start("predict", Duration::from_secs(60), &[]);
        let mut event: Value =
            serde_json::from_str(include_str!("../../../fixtures/lambda/api_request.json")).unwrap();
        event["body"] = json!(BODY);
        let answer: Value = serde_json::from_str(&api.invoke(&event.to_string()).body).unwrap();
        assert_eq!(
            (&answer["statusCode"], &answer["body"]),
            (&json!(200), &json!(self.answer)),
            "{}",
            api.log()
        );
        let id = self.model.as_str().unwrap().rsplit(['_', '.']).nth(1).unwrap();
        assert!(self.answer.contains(id), "{} by {id}", self.answer);
        tell(day, &format!("predictions  predictd and the API: {}", self.answer));
    }

    /// Back to the model before, which is held; training goes on without being promoted; and released.
    fn rollback(&mut self, day: Date) {
        let day = day.to_string();
        let newest = self.model.clone();
        self.cloud.session.run("registry rollback --reason 'too kind to bad rounds'").expect(0);
        let approved = self.cloud.session.ok("registry approved");
        self.model = serde_json::from_str::<Value>(&approved).unwrap()["key"].clone();
        assert_ne!(self.model, newest);
        tell(&day, &format!("rollback   to {}", self.model.as_str().unwrap()));
        self.predict(&day);
        let train = self.cloud.train();
        let answer = answered(&train.invoke("{}").body, &train);
        assert_eq!((&answer["outcome"], &answer["approved"]["key"]), (&json!("no"), &self.model), "{answer}");
        tell(&day, &format!("train      {}", answer["message"].as_str().unwrap()));
        self.cloud.session.run("registry release").expect(0);
    }

    /// What the year came to is what one run of the shell makes of the archive as it is at the end.
    fn compare(&self, archive: &Archive, day: Date) {
        let folder = archive.folder().display().to_string();
        let replay = Replay::with(&[&folder], &[]);
        let mut shell = Session::golf(&replay);
        shell.set("FAIRWAY_NOW", format!("{day}T12:00:00Z"));
        shell.ok(&format!("{} > /dev/null", script("refresh")));
        for question in ["bucket ls training_data/ --sha256", "db-query rows | sha256sum"] {
            assert_eq!(self.cloud.session.ok(question), shell.ok(question), "{question}");
        }
        let csvs = self.known.len();
        let calls = self.replay.asked().len();
        tell(
            "",
            &format!(
                "{csvs} CSVs and every stored round are those of one run of scripts/golf/refresh in a shell; \
                 {calls} calls to DataGolf in all"
            ),
        );
    }
}

fn answered(body: &str, emulator: &Emulator) -> Value {
    let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    assert!(answer["outcome"].is_string(), "{body}\n{}", emulator.log());
    answer
}

/// A line of the story. Who closed the pipe has read enough.
fn tell(day: &str, words: &str) {
    let line = if day.is_empty() { format!("{words}\n") } else { format!("{day}  {words}\n") };
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
