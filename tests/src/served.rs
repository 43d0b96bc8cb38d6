use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Session, script};

/// A running `predictd` of a session, on a free port. It looks for another model five times a second, and ends with the
/// test.
pub struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Starts it by the script of the golf pipeline.
    pub fn start(session: &Session) -> Served {
        let line = format!("exec {} --listen 127.0.0.1:0 --poll 0.2", script("serve"));
        let mut child = session.command(&line).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
        let line = said.find(|line| line.contains(" on http")).expect("predictd did not start");
        let url = line.split(" on ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        // Nobody reads the rest, and nobody may be blocked by that.
        thread::spawn(move || said.for_each(drop));
        Served { child, url }
    }

    /// Asks for one round's prediction.
    pub fn ask(&self, session: &Session) -> String {
        let body = "{\"sg_total\":2.1,\"driving_dist\":291.4,\"driving_acc\":0.64,\"gir\":0.72,\"scrambling\":0.6,\
                    \"prox_rgh\":41.2,\"prox_fw\":29.8,\"great_shots\":4,\"poor_shots\":2}";
        session.ok(&format!("curl -sS --json '{body}' {}/predict", self.url))
    }

    /// Asks for a page.
    pub fn get(&self, session: &Session, path: &str) -> String {
        session.ok(&format!("curl -sS {}{path}", self.url))
    }

    /// Posts a body to /predict: status and answer.
    pub fn post(&self, session: &Session, body: &str) -> (u64, String) {
        session.file("body", body);
        let json = "content-type: application/json";
        let line =
            format!("curl -sS -H '{json}' --data-binary @body -w '\\n%{{http_code}}' {}/predict", self.url);
        let said = session.ok(&line);
        let (answer, status) = said.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), answer.to_owned())
    }

    /// Asks until the answer is another one.
    pub fn ask_until_not(&self, session: &Session, old: &str) -> String {
        let started = Instant::now();
        loop {
            let answer = self.ask(session);
            if answer != old {
                return answer;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "still {answer}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
