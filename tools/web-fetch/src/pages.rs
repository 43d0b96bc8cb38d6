use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use serde_json::Value;
use sources::Pages;

/// Where an answer goes on after its page `number`; an error where that makes no sense.
pub(crate) fn next(
    pages: &Pages,
    url: &Url,
    number: u32,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Url>, String> {
    if pages.link {
        return match linked(headers)? {
            None => Ok(None),
            Some(link) => url.join(&link).map(Some).map_err(|error| format!("the next page: {error}")),
        };
    }
    let json: Value =
        serde_json::from_slice(body).map_err(|error| format!("the page is not JSON: {error}"))?;
    let at = |pointer: &Option<String>| json.pointer(pointer.as_deref().unwrap_or_default()).cloned();
    if let Some(parameter) = &pages.number {
        let total = at(&pages.total).as_ref().and_then(whole);
        let total = total.ok_or_else(|| {
            format!("{} is not the number of pages", pages.total.as_deref().unwrap_or_default())
        })?;
        return Ok((u64::from(number) < total).then(|| with(url, parameter, &(number + 1).to_string())));
    }
    if let Some(parameter) = &pages.parameter {
        return match at(&pages.cursor) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(None),
            Some(Value::String(cursor)) if cursor.is_empty() => Ok(None),
            Some(Value::String(cursor)) => Ok(Some(with(url, parameter, &cursor))),
            Some(Value::Number(cursor)) => Ok(Some(with(url, parameter, &cursor.to_string()))),
            Some(_) => Err("the cursor is neither a text nor a number".to_owned()),
        };
    }
    match at(&pages.next) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(link)) if link.is_empty() => Ok(None),
        Some(Value::String(link)) => {
            url.join(&link).map(Some).map_err(|error| format!("the next page: {error}"))
        }
        Some(_) => Err("the next page is not an address".to_owned()),
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// An address with one parameter set.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| key != name)
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let mut with = url.clone();
    with.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
    with
}

/// `Link: <https://…>; rel="next"` (RFC 8288). One that cannot be read is not the last page.
fn linked(headers: &HeaderMap) -> Result<Option<String>, String> {
    let odd = || "the header Link cannot be read, so nobody knows whether there is another page".to_owned();
    for value in headers.get_all(LINK) {
        let mut rest = value.to_str().map_err(|_| odd())?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>').ok_or_else(odd)?;
            let end = after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len());
            let is_next = after[..end].split(';').any(|parameter| {
                let (name, value) = parameter.trim().split_once('=').unwrap_or(("", ""));
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return Ok(Some(target.to_owned()));
            }
            rest = &after[end..];
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(text: &str) -> Pages {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_next_page_is_found_where_it_stands() {
        let url = Url::parse("https://x.org/a?season=2030&page=1").unwrap();
        let none = HeaderMap::new();
        let numbers = pages("number = \"page\"\ntotal = \"/paging/total\"");
        let go = |number, body: &str| next(&numbers, &url, number, &none, body.as_bytes());
        let second = go(1, "{\"paging\":{\"total\":2}}").unwrap().unwrap();
        assert_eq!(second.as_str(), "https://x.org/a?season=2030&page=2");
        assert_eq!(go(2, "{\"paging\":{\"total\":2}}").unwrap(), None);
        assert!(go(1, "{}").is_err() && go(1, "[").is_err());
        let cursors = pages("cursor = \"/next\"\nparameter = \"after\"");
        let found = next(&cursors, &url, 1, &none, br#"{"next":"a b&c"}"#).unwrap().unwrap();
        assert_eq!(found.as_str(), "https://x.org/a?season=2030&page=1&after=a+b%26c");
        assert_eq!(next(&cursors, &url, 1, &none, br#"{"next":null}"#).unwrap(), None);
        let mut headers = HeaderMap::new();
        headers.append(LINK, "<https://x.org/0>; rel=\"prev\", </b?p=2>; rel=\"next last\"".parse().unwrap());
        let linked = next(&pages("link = true"), &url, 1, &headers, b"").unwrap().unwrap();
        assert_eq!(linked.as_str(), "https://x.org/b?p=2");
    }
}
