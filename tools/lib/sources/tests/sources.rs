//! What a file of sources may say, and how it is told what it may not.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use sources::Sources;

const READINGS: &str = r#"
[sources.readings]
url = "https://api.example.org/v1/readings?station={station}"
each = [{ station = "oslo" }, { station = "bergen" }]
secret = { variable = "READINGS_TOKEN", header = "Authorization", prefix = "Bearer " }

[sources.readings.extract]
kind = "json"

[sources.readings.extract.tables.readings]
rows = ".readings[] | { station: .id, at: .time, celsius: .value.c }"
"#;

#[test]
fn ten_lines_are_a_source() {
    let sources: Sources = READINGS.parse().unwrap();
    let source = sources.source("readings").unwrap();
    let requests = source.requests("2026-01-01".parse().unwrap()).unwrap();
    assert_eq!(requests.len(), 2);
    let url = source.url.as_ref().unwrap();
    assert_eq!(url.fill_address(&requests[1]).unwrap(), "https://api.example.org/v1/readings?station=bergen");
    assert!(sources.source("reading").unwrap_err().to_string().contains("did you mean readings?"));
    assert_eq!(sources.meant(&["readings".into(), "readings".into()]).unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (from, to, said) in [
        ("secret = {", "secert = {", "unknown field `secert`"),
        ("rows = ", "row = ", "unknown field `row`"),
        ("https://", "http://", "only https:// travels unread"),
        ("https://api", "https://user:word@api", "no user or password"),
        ("https://api.", "https://{station}.", "its host is fixed"),
        ("={station}", "={city}", "not every request has a parameter \"city\""),
        ("header = \"Authorization\", ", "", "name either the header or the query parameter"),
        ("kind = \"json\"", "kind = \"xml\"", "unknown variant `xml`"),
        ("kind = \"json\"", "kind = \"csv\"", "rows is for json and html"),
        ("kind = \"json\"", "kind = \"json\"\nzone = \"Europe/Londn\"", "Europe/Londn"),
        ("each = [", "pages = { number = \"p\" }\neach = [", "one of { number, total }"),
        ("each = [", "rules = [{ is = \"later\" }]\neach = [", "a condition names nothing"),
        ("each = [", "holds = [{ json = \"a\" }]\neach = [", "not a pointer into JSON"),
        ("each = [", "limits = { body = \"64MB\" }\neach = [", "not a number of bytes"),
        ("each = [", "limits = { timeout = \"soon\" }\neach = [", "not a length of time"),
    ] {
        assert!(READINGS.contains(from), "{from}");
        let failed = READINGS.replacen(from, to, 1).parse::<Sources>().unwrap_err();
        assert_eq!(failed.kind(), failure::Kind::Config, "{to}");
        assert!(failed.to_string().contains(said), "{to}: {failed}");
    }
    let column = |rule: &str| format!("{READINGS}columns.at = {{ {rule} }}\n");
    for (rule, said) in [
        ("names = \"team\"", "there is no list [names.team]"),
        ("pattern = \"x\"", "it has no group"),
        ("pattern = \"(x\"", "pattern: "),
        ("date = [\"%H\"]", "does not say the day"),
        ("time = \"t\"", "it needs the formats of its date"),
        ("within = \"season\"", "extract has no season"),
        ("closest = \"tr\"", "are for html"),
        ("otherwise = \"x\"", "there is no map"),
        ("outside = \"zero\"", "unknown variant `zero`"),
        ("frm = \"x\"", "unknown field `frm`"),
    ] {
        let failed = column(rule).parse::<Sources>().unwrap_err();
        assert!(failed.to_string().contains(said), "{rule}: {failed}");
    }
}
