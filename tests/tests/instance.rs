//! Training on an instance: `ec2_switch` in AWS's emulator switches one of moto's instances, and what it sends there
//! runs in a shell.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use pipelines::{Cloud, Replay, packages, script};
use serde_json::{Value, json};
use servers::{Emulator, MariaDb, Moto, Seaweed};

/// One instance with its tag, its queue, and the function that switches it.
struct Trainer {
    cloud: Cloud,
    instance: String,
    queue: String,
    tag: String,
}

impl Trainer {
    fn new(replay: &Replay) -> Trainer {
        let cloud = Cloud::new(replay, MariaDb::shared(), Seaweed::shared());
        let moto = Moto::shared();
        let tag = cloud.database();
        let images = moto.ec2("Action=DescribeImages&Owner.1=amazon");
        let image = between(&images, "<imageId>", "</imageId>");
        let made = moto.ec2(&format!(
            "Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&TagSpecification.1.ResourceType=instance&\
             TagSpecification.1.Tag.1.Key=fairway%3Atrainer&TagSpecification.1.Tag.1.Value={tag}"
        ));
        let instance = between(&made, "<instanceId>", "</instanceId>");
        let queue = moto.json("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": tag}).to_string());
        let queue: Value = serde_json::from_str(&queue).unwrap();
        Trainer { cloud, instance, queue: queue["QueueUrl"].as_str().unwrap().to_owned(), tag }
    }

    fn switch(&self, more: &[(&str, &str)]) -> Emulator {
        let mut variables = vec![
            ("FAIRWAY_INSTANCE_TAG".to_owned(), format!("fairway:trainer={}", self.tag)),
            ("FAIRWAY_QUEUE_URL".to_owned(), self.queue.clone()),
            ("FAIRWAY_BUNDLE".to_owned(), "bundles/train_model.zip".to_owned()),
        ];
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.cloud.start("ec2_switch", Duration::from_secs(60), &variables)
    }

    fn state(&self) -> String {
        let answer = Moto::shared().ec2(&format!("Action=DescribeInstances&InstanceId.1={}", self.instance));
        let state = between(&answer, "<instanceState>", "</instanceState>");
        between(&state, "<name>", "</name>")
    }

    fn stop(&self) {
        Moto::shared().ec2(&format!("Action=StopInstances&InstanceId.1={}", self.instance));
        assert_eq!(self.state(), "stopped");
    }

    /// What the instance was told.
    fn told(&self) -> Vec<Value> {
        let asked = json!({"InstanceId": self.instance}).to_string();
        let answer: Value =
            serde_json::from_str(&Moto::shared().json("ssm", "AmazonSSM.ListCommands", &asked)).unwrap();
        answer["Commands"].as_array().unwrap().clone()
    }

    /// Runs what the instance was told, in a shell that has the AWS CLI as far as it is used.
    fn obey(&self, command: &Value) -> String {
        let session = &self.cloud.session;
        let aws = session.file(
            "cli/aws",
            "#!/bin/bash\n# aws s3 cp --only-show-errors s3://bucket/prefix/KEY FILE\n\
             [ \"$1 $2\" = 's3 cp' ] || exit 2\n\
             exec bucket get \"${4#\"$FAIRWAY_BUCKET\"/}\" --to \"$5\"\n",
        );
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        let lines = command["Parameters"]["commands"].as_array().unwrap();
        let text: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        session.file("told", text.join("\n"));
        let ran = session.run("PATH=$PWD/cli:$PATH bash told");
        format!("{}\n{}", ran.code, ran.stderr)
    }
}

fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0.trim().to_owned()
}

#[track_caller]
fn message(emulator: &Emulator, event: &str) -> Value {
    let invoked = emulator.invoke(event);
    assert!(!invoked.failed, "{}\n{}", invoked.body, emulator.log());
    serde_json::from_str(&invoked.body).unwrap()
}

#[test]
fn an_upload_starts_the_instance_and_its_result_stops_it() {
    let replay = Replay::start();
    let trainer = Trainer::new(&replay);
    let session = &trainer.cloud.session;
    session.ok(&format!("{} > /dev/null", script("refresh")));
    let zip = session.path("bundle.zip");
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(&zip)
        .args(["bin", "pipeline", "stages.sh", "worker"])
        .current_dir(packages().join("train_model"))
        .status()
        .unwrap();
    assert!(zipped.success());
    session.ok("bucket put bundles/train_model.zip --from bundle.zip");

    trainer.stop();
    let switch = trainer.switch(&[("FAIRWAY_IDLE_MINUTES", "0")]);
    let upload = trainer.cloud.arrived(&["input/march $(reboot) 'é.txt"]);
    let first = switch.invoke(&upload);
    assert!(
        first.failed && first.body.contains("Exit69") && first.body.contains("starts now"),
        "{}",
        first.body
    );
    assert_eq!((trainer.state().as_str(), trainer.told().len()), ("running", 0));
    // The queue sends it again, and once too often.
    for _ in 0..2 {
        let answer = message(&switch, &upload);
        assert_eq!(answer["outcome"], "done", "{answer}");
    }
    let told = trainer.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let run = told[0]["Comment"].as_str().unwrap().strip_prefix("fairway run ").unwrap().to_owned();
    assert!(run.starts_with("march---reboot"), "{run}");

    let said = trainer.obey(&told[0]);
    assert!(said.starts_with("0\n"), "{said}");
    let result: Value =
        serde_json::from_str(&session.ok(&format!("bucket get output/{run}/result.json"))).unwrap();
    assert_eq!((&result["exit"], &result["run"]), (&json!(0), &json!(run)), "{result}");
    assert!(result["approved"]["key"].as_str().unwrap().starts_with("models/golf_"), "{result}");
    // The same run again, and one whose data is bad: a result whatever the verdict.
    session.ok("printf 'a,b\\n\"' > bad.csv; bucket put training_data/bad.csv --from bad.csv");
    let said = trainer.obey(&told[0]);
    assert!(said.starts_with("65\n"), "{said}");
    let result: Value =
        serde_json::from_str(&session.ok(&format!("bucket get output/{run}/result.json"))).unwrap();
    assert_eq!((&result["exit"], &result["approved"]), (&json!(65), &Value::Null), "{result}");
    assert!(result["message"].as_str().unwrap().contains("training_data/bad.csv"), "{result}");

    // More waits: it goes on. Nothing waits: it stops.
    let result = trainer.cloud.arrived(&[&format!("output/{run}/result.json")]);
    let sent = json!({"QueueUrl": trainer.queue, "MessageBody": "x"}).to_string();
    Moto::shared().json("sqs", "AmazonSQS.SendMessage", &sent);
    assert!(message(&switch, &result)["message"].as_str().unwrap().contains("1 waiting"));
    assert_eq!(trainer.state(), "running");
    let purge = json!({"QueueUrl": trainer.queue}).to_string();
    Moto::shared().json("sqs", "AmazonSQS.PurgeQueue", &purge);
    assert_eq!(message(&switch, &result)["stopped"], true);
    assert_eq!(trainer.state(), "stopped");
    // A result that is told late starts nothing, nor does anything else that is written.
    message(&switch, &result);
    let other = trainer.cloud.arrived(&["models/latest_model.json", "output/x/model.json"]);
    assert_eq!(message(&switch, &other)["outcome"], "skipped");
    assert_eq!(trainer.state(), "stopped");
    assert!(!switch.log().contains(Seaweed::KEYS.1));
}

#[test]
fn the_watchdog_stops_what_idles_and_an_instance_that_is_none_is_named() {
    let replay = Replay::start();
    let mut trainer = Trainer::new(&replay);
    let watchdog = r#"{"watchdog": true}"#;
    let patient = trainer.switch(&[]);
    assert!(message(&patient, watchdog)["message"].as_str().unwrap().contains("not idled for long"));
    assert_eq!(trainer.state(), "running");
    let strict = trainer.switch(&[("FAIRWAY_IDLE_MINUTES", "0")]);
    assert_eq!(message(&strict, watchdog)["stopped"], true);
    assert_eq!(trainer.state(), "stopped");
    let answer = message(&strict, watchdog);
    assert!(answer["message"].as_str().unwrap().ends_with("is stopped"), "{answer}");

    assert_eq!(message(&strict, r#"{"x": 1}"#)["exit"], 65);
    trainer.tag = "nobody".to_owned();
    let answer = message(&trainer.switch(&[]), watchdog);
    assert_eq!((&answer["outcome"], &answer["exit"]), (&json!("failed"), &json!(78)), "{answer}");
    let words = "there is no instance with the tag fairway:trainer=nobody";
    assert_eq!(answer["message"], words);
}
