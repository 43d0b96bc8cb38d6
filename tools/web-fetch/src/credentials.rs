use base64::prelude::{BASE64_STANDARD, Engine};
use failure::{Failure, Outcome};
use reqwest::Url;
use secret::Secret;
use sources::{SecretPlace, Source};

/// A source's secret, and where it goes.
pub(crate) struct Credentials {
    pub(crate) place: SecretPlace,
    pub(crate) secret: Secret,
    /// What is inside it.
    plain: Option<Secret>,
}

/// A shorter one stands in too many words.
const SHORTEST: usize = 8;

fn decoded(text: &str) -> Option<Secret> {
    let text = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let password = text.split_once(':').map_or(text.as_str(), |(_, password)| password);
    Secret::from_text(password).filter(|secret| secret.reveal().len() >= SHORTEST)
}

impl Credentials {
    /// Reads the secret of a source that has one.
    pub(crate) fn read(name: &str, source: &Source) -> Outcome<Option<Credentials>> {
        let Some(place) = &source.secret else { return Ok(None) };
        let variable = &place.variable;
        let file = format!("{variable}_FILE");
        let text = match (std::env::var(variable), std::env::var(&file)) {
            (Ok(text), _) => text,
            (Err(_), Ok(path)) => input_files::read_text(path.as_ref())?,
            (Err(_), Err(_)) => {
                return Err(Failure::denied(format!(
                    "{name}: there is no secret: set {variable}, or name a file with {file}"
                )));
            }
        };
        let secret = Secret::from_text(&text).ok_or_else(|| {
            Failure::denied(format!(
                "{name}: the secret in {variable} is empty or holds spaces or odd characters"
            ))
        })?;
        if secret.reveal().len() < SHORTEST {
            return Err(Failure::denied(format!(
                "{name}: the secret in {variable} has fewer than {SHORTEST} characters: it could not be told from other \
                 words, and would be taken out of answers where it is none"
            )));
        }
        // `Basic` carries a user and a password in base 64; a server may repeat them as they are.
        let plain =
            place.prefix.trim().eq_ignore_ascii_case("basic").then(|| decoded(secret.reveal())).flatten();
        Ok(Some(Credentials { place: place.clone(), secret, plain }))
    }

    fn redact(&self, words: &str) -> String {
        let words = self.secret.redact(words);
        self.plain.as_ref().map_or(words.clone(), |plain| plain.redact(&words))
    }

    /// The address with the secret in it, where it goes there.
    pub(crate) fn sign(&self, url: &mut Url) {
        if let Some(name) = &self.place.query {
            url.query_pairs_mut().append_pair(name, self.secret.reveal());
        }
    }

    /// The header with the secret in it, where it goes there.
    pub(crate) fn header(&self) -> Option<(&str, String)> {
        let name = self.place.header.as_deref()?;
        Some((name, format!("{}{}", self.place.prefix, self.secret.reveal())))
    }
}

/// An address without the parameter that the secret is in; services repeat it in the address of the next page.
pub(crate) fn unsigned(url: &Url, credentials: Option<&Credentials>) -> Url {
    let Some(name) = credentials.and_then(|credentials| credentials.place.query.as_deref()) else {
        return url.clone();
    };
    if !url.query_pairs().any(|(key, _)| key == name) {
        // As it came: it may be signed as it is.
        return url.clone();
    }
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| key != name)
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let mut bare = url.clone();
    bare.set_query(None);
    if !kept.is_empty() {
        bare.query_pairs_mut().extend_pairs(kept);
    }
    bare
}

/// Foreign words without the secret.
pub(crate) fn redact(credentials: Option<&Credentials>, words: &str) -> String {
    credentials.map_or_else(|| words.to_owned(), |credentials| credentials.redact(words))
}

/// A body without the secret, whatever its encoding: bytes that are not UTF-8 stand for themselves.
pub(crate) fn redact_body(credentials: Option<&Credentials>, body: Vec<u8>) -> Vec<u8> {
    let Some(credentials) = credentials else { return body };
    match String::from_utf8(body) {
        Ok(text) => credentials.redact(&text).into_bytes(),
        Err(error) => {
            let text: String = error.as_bytes().iter().map(|&byte| char::from(byte)).collect();
            // Each character is a byte again, and what stands for the secret is ASCII.
            credentials.redact(&text).chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
        }
    }
}
