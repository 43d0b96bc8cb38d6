use std::time::Duration;

use amazon::Amazon;
use failure::{Failure, Outcome};
use jiff::Timestamp;

/// The instance that trains.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) state: State,
    launched: Option<Timestamp>,
}

/// What EC2 says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Running,
    Stopping,
    Stopped,
}

impl State {
    fn read(name: &str) -> Option<State> {
        match name {
            "pending" => Some(State::Starting),
            "running" => Some(State::Running),
            "stopping" | "shutting-down" => Some(State::Stopping),
            "stopped" => Some(State::Stopped),
            // One that is gone for good is none.
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
        }
    }
}

impl Instance {
    /// The one instance with this tag.
    pub(crate) async fn find(amazon: &Amazon, (name, value): &(String, String)) -> Outcome<Instance> {
        let filter = format!("tag:{name}");
        let parameters = [("Filter.1.Name", filter.as_str()), ("Filter.1.Value.1", value)];
        let mut found = amazon.instances("DescribeInstances", &parameters, read).await?;
        match (found.pop(), found.is_empty()) {
            (Some(instance), true) => Ok(instance),
            (None, _) => Err(Failure::config(format!("there is no instance with the tag {name}={value}"))),
            (Some(_), false) => {
                Err(Failure::config(format!("{} instances have the tag {name}={value}", found.len() + 1)))
            }
        }
    }

    pub(crate) async fn start(&self, amazon: &Amazon) -> Outcome {
        amazon.instances("StartInstances", &[("InstanceId.1", &self.id)], |_| ()).await
    }

    pub(crate) async fn stop(&self, amazon: &Amazon) -> Outcome {
        amazon.instances("StopInstances", &[("InstanceId.1", &self.id)], |_| ()).await
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        let age = self.launched.map(|launched| Timestamp::now().duration_since(launched));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    }
}

fn read(answer: roxmltree::Node<'_, '_>) -> Vec<Instance> {
    let text = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children()
            .find(|child| child.has_tag_name(name))
            .and_then(|child| child.text())
            .map(str::to_owned)
    };
    let sets = answer.descendants().filter(|node| node.has_tag_name("instancesSet"));
    let items = sets.flat_map(|set| set.children().filter(|child| child.has_tag_name("item")));
    let instance = |item: roxmltree::Node<'_, '_>| {
        let state = item.children().find(|child| child.has_tag_name("instanceState"))?;
        Some(Instance {
            id: text(item, "instanceId")?,
            state: State::read(&text(state, "name")?)?,
            launched: text(item, "launchTime").and_then(|time| time.parse().ok()),
        })
    };
    items.filter_map(instance).collect()
}
