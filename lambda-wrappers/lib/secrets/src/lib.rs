#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use amazon::{Amazon, SECRETS};
use failure::{Failure, Outcome};
use serde_json::{Value, json};

/// A variable `FAIRWAY_SECRET_<NAME>` names the secret that becomes the script's variable `<NAME>`.
const PREFIX: &str = "FAIRWAY_SECRET_";

/// The variable that names the database's secret: an object with `url` and `password`, or one as RDS keeps it, with `username` and
/// `password`, for the database that `FAIRWAY_DB` names.
const DATABASE: &str = "FAIRWAY_DB_SECRET";

/// The variable that names the secret of a user that the database shall have: an object with `username` and `password`.
const DATABASE_USER: &str = "FAIRWAY_DB_USER_SECRET";

/// A secret that was rotated is noticed after this long even if nobody complains.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Secrets of Secrets Manager, kept for a while. They are never printed.
pub struct Secrets {
    amazon: &'static Amazon,
    known: Mutex<BTreeMap<String, (Instant, String)>>,
}

impl Secrets {
    /// Nothing is asked yet.
    pub fn new(amazon: &'static Amazon) -> Secrets {
        Secrets { amazon, known: Mutex::new(BTreeMap::new()) }
    }

    /// Forgets all: somebody was refused with what is known.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The variables that the environment's secrets become for a script.
    pub async fn variables(&self) -> Outcome<Vec<(String, String)>> {
        let mut variables = Vec::new();
        let named: BTreeMap<String, String> = env::vars().filter(|(_, id)| !id.is_empty()).collect();
        for (name, id) in named {
            if let Some(variable) = name.strip_prefix(PREFIX) {
                let value = plain(&self.get(&id).await?);
                variables.push((variable.to_owned(), value));
            } else if name == DATABASE {
                let url = env::var("FAIRWAY_DB").unwrap_or_default();
                let (url, password) = database(&self.get(&id).await?, &url).map_err(|reason| {
                    Failure::config(format!("the secret that {DATABASE} names: {reason}"))
                })?;
                variables.push(("FAIRWAY_DB".to_owned(), url));
                variables.push(("FAIRWAY_DB_PASSWORD".to_owned(), password));
            } else if name == DATABASE_USER {
                let (user, password) = user(&self.get(&id).await?).map_err(|reason| {
                    Failure::config(format!("the secret that {DATABASE_USER} names: {reason}"))
                })?;
                variables.push(("FAIRWAY_DB_USER".to_owned(), user));
                variables.push(("FAIRWAY_DB_USER_PASSWORD".to_owned(), password));
            }
        }
        Ok(variables)
    }

    async fn get(&self, id: &str) -> Outcome<String> {
        let known = |secrets: &Secrets| {
            let known = secrets.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(id).filter(|(since, _)| since.elapsed() < REMEMBERED).map(|(_, value)| value.clone())
        };
        if let Some(value) = known(self) {
            return Ok(value);
        }
        let answer = self.amazon.call(SECRETS, "GetSecretValue", &json!({"SecretId": id})).await?;
        let value = answer.get("SecretString").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        if value.is_empty() {
            return Err(Failure::config(format!("the secret {id} is empty (put its value there)")));
        }
        let entry = (Instant::now(), value.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), entry);
        Ok(value)
    }
}

/// A secret that is one text may stand in an object with one field, as the console makes them.
fn plain(secret: &str) -> String {
    let object: Option<BTreeMap<String, String>> = serde_json::from_str(secret).ok();
    match object {
        Some(object) if object.len() == 1 => object.into_values().next().unwrap_or_default(),
        _ => secret.to_owned(),
    }
}

/// URL and password. The reasons say nothing of the secret's content.
fn database(secret: &str, url: &str) -> Result<(String, String), &'static str> {
    let secret: Value = serde_json::from_str(secret).map_err(|_| "it is no JSON object")?;
    let text = |name: &str| secret.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let password = text("password").ok_or("it has no `password`")?.to_owned();
    if let Some(url) = text("url") {
        return Ok((url.to_owned(), password));
    }
    let user = text("username").ok_or("it has neither `url` nor `username`")?;
    let (scheme, rest) = url.split_once("://").ok_or("it has no `url`, and FAIRWAY_DB names no server")?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
    Ok((format!("{scheme}://{user}@{host}"), password))
}

/// Name and password of a user.
fn user(secret: &str) -> Result<(String, String), &'static str> {
    let secret: Value = serde_json::from_str(secret).map_err(|_| "it is no JSON object")?;
    let text = |name: &str| secret.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let user = text("username").ok_or("it has no `username`")?;
    Ok((user.to_owned(), text("password").ok_or("it has no `password`")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{database, plain, user};

    #[test]
    fn a_text_may_stand_alone_or_in_an_object() {
        assert_eq!(plain("abc"), "abc");
        assert_eq!(plain(r#"{"key":"abc"}"#), "abc");
        assert_eq!(plain(r#"{"a":"b","c":"d"}"#), r#"{"a":"b","c":"d"}"#);
    }

    #[test]
    fn a_database_is_a_url_or_what_rds_keeps() {
        let own = database(r#"{"url":"mysql://me@host/golf","password":"x"}"#, "").unwrap();
        assert_eq!(own, ("mysql://me@host/golf".to_owned(), "x".to_owned()));
        let rds =
            database(r#"{"username":"ad/min","password":"x"}"#, "mysql://host:3306/golf?ssl-ca=/a").unwrap();
        assert_eq!(rds.0, "mysql://ad%2Fmin@host:3306/golf?ssl-ca=/a");
        for bad in ["x", "{}", r#"{"password":"x"}"#, r#"{"username":"u","password":""}"#] {
            assert!(database(bad, "mysql://host/golf").is_err(), "{bad}");
        }
        assert!(database(r#"{"username":"u","password":"x"}"#, "").is_err());
    }

    #[test]
    fn a_user_has_a_name_and_a_password() {
        let made = user(r#"{"username":"fairway_load","password":"x"}"#).unwrap();
        assert_eq!(made, ("fairway_load".to_owned(), "x".to_owned()));
        for bad in ["x", "{}", r#"{"password":"x"}"#, r#"{"username":"u","password":""}"#] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }
}
