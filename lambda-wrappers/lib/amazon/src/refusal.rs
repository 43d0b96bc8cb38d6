use failure::{Failure, Kind};
use serde_json::Value;

/// An answer that is a no.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: String,
    words: String,
}

impl Refusal {
    /// Reads the error of the JSON protocols (`__type`, `message`) or of EC2's (`<Code>`, `<Message>`).
    pub(crate) fn read(status: u16, body: &str) -> Refusal {
        let (code, words) = json(body).or_else(|| xml(body)).unwrap_or_default();
        // com.amazonaws.service#Name, or Name:http://…
        let code =
            code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        Refusal { status, code, words }
    }

    /// A signature that is too old or too new looks like a wrong one to some services.
    pub(crate) fn may_be_the_clock(&self) -> bool {
        [
            "RequestTimeTooSkewed",
            "RequestExpired",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "AuthFailure",
        ]
        .contains(&self.code.as_str())
    }

    pub(crate) fn failure(&self, what: &str) -> Failure {
        let Refusal { status, code, words } = self;
        let remedy = match self.kind() {
            Kind::Unavailable => " (try again later)",
            Kind::Denied => " (look at the function's role)",
            _ => "",
        };
        Failure::new(self.kind(), format!("{what}: {status} {code}: {words}{remedy}"))
    }

    fn kind(&self) -> Kind {
        let code = self.code.as_str();
        // InvalidInstanceId is Systems Manager's word for an instance whose agent is not there yet.
        let busy = [
            "InvalidInstanceId",
            "Throttl",
            "TooMany",
            "LimitExceeded",
            "ServiceUnavailable",
            "InternalError",
            "IncorrectInstanceState",
        ];
        if self.status == 429 || self.status >= 500 || busy.iter().any(|word| code.contains(word)) {
            return Kind::Unavailable;
        }
        let denied = [
            "AccessDenied",
            "Unauthorized",
            "UnrecognizedClient",
            "Token",
            "Signature",
            "AuthFailure",
            "OptIn",
        ];
        if matches!(self.status, 401 | 403) || denied.iter().any(|word| code.contains(word)) {
            return Kind::Denied;
        }
        // It names something that is not there, or asks for something that makes no sense.
        Kind::Config
    }
}

fn json(body: &str) -> Option<(String, String)> {
    let body: Value = serde_json::from_str(body).ok()?;
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| body.get(name)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    Some((text(&["__type", "Type", "code"]), text(&["message", "Message"])))
}

fn xml(body: &str) -> Option<(String, String)> {
    let tree = roxmltree::Document::parse(body).ok()?;
    let text = |name: &str| {
        let found = tree.descendants().find(|node| node.has_tag_name(name));
        found.and_then(|node| node.text()).unwrap_or_default().to_owned()
    };
    Some((text("Code"), text("Message")))
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use failure::Kind;

    #[test]
    fn refusals_say_whether_a_retry_helps() {
        let of = |status: u16, body: &str| Refusal::read(status, body).kind();
        assert_eq!(of(400, r#"{"__type":"com.amazonaws.x#ThrottlingException"}"#), Kind::Unavailable);
        assert_eq!(of(503, "<html>"), Kind::Unavailable);
        assert_eq!(of(400, r#"{"__type":"AccessDeniedException","Message":"no"}"#), Kind::Denied);
        assert_eq!(of(403, ""), Kind::Denied);
        assert_eq!(of(400, r#"{"__type":"ResourceNotFoundException"}"#), Kind::Config);
        let ec2 = "<Response><Errors><Error><Code>IncorrectInstanceState</Code><Message>it stops</Message></Error></Errors></Response>";
        assert_eq!(of(400, ec2), Kind::Unavailable);
        let said = Refusal::read(400, ec2).failure("ec2 StartInstances").to_string();
        assert_eq!(said, "ec2 StartInstances: 400 IncorrectInstanceState: it stops (try again later)");
    }
}
