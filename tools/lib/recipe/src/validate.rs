use std::collections::BTreeSet;

use manners::{Failure, Outcome};

use crate::parse::nearest;
use crate::{Impute, Kind, Recipe};

impl Recipe {
    /// What the types cannot say: names that exist, lists without repeats, numbers in range.
    pub(crate) fn validate(&self) -> Outcome {
        let name = &self.recipe.name;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return bad(format!("[recipe] name {name:?}: use lower-case letters, digits and `-`"));
        }
        self.list("[keys] columns", &self.keys.columns)?;
        self.list("[keys] row", &self.keys.row)?;
        self.list("[features] columns", &self.features.columns)?;
        self.list("[split] by", &self.split.by)?;
        if !self.clean.required.is_empty() {
            self.list("[clean] required", &self.clean.required)?;
        }
        self.known("[target] column", &self.target.column)?;
        if self.target.column == "model" {
            return bad("[target] column \"model\": answers carry the model's id under that name");
        }
        self.roles()?;
        self.ranges()?;
        self.identities()?;
        self.preparation()?;
        self.validation()?;
        self.candidates()
    }

    fn list(&self, place: &str, names: &[String]) -> Outcome {
        if names.is_empty() {
            return bad(format!("{place} is empty"));
        }
        let mut seen = BTreeSet::new();
        for name in names {
            self.known(place, name)?;
            if !seen.insert(name) {
                return bad(format!("{place} names {name:?} twice"));
            }
        }
        Ok(())
    }

    fn known(&self, place: &str, name: &str) -> Outcome {
        if self.columns.contains_key(name) {
            return Ok(());
        }
        let hint = nearest(name, self.columns.keys().map(String::as_str))
            .map_or_else(|| format!("add [columns.{name}]"), |near| format!("did you mean {near:?}?"));
        bad(format!("{place}: {name:?} has no [columns.{name}] section; {hint}"))
    }

    /// Keys never become features: a model that knows who and when does not generalise.
    fn roles(&self) -> Outcome {
        for feature in self.features.columns.iter().chain([&self.target.column]) {
            if self.keys.columns.contains(feature) {
                return bad(format!("{feature:?} is a key: it cannot be a feature or the target too"));
            }
            if !matches!(self.columns[feature].kind, Kind::Number | Kind::Integer) {
                return bad(format!(
                    "{feature:?} must be a number or an integer to be a feature or the target"
                ));
            }
        }
        if self.features.columns.contains(&self.target.column) {
            return bad(format!("the target {:?} is also a feature", self.target.column));
        }
        let time: Vec<String> = self.keys.time.iter().cloned().collect();
        for (place, names) in [
            ("[keys] row", &self.keys.row),
            ("[keys] time", &time),
            ("[split] by", &self.split.by),
            ("[validation] by", &self.validation.by),
        ] {
            if let Some(name) = names.iter().find(|name| !self.keys.columns.contains(name)) {
                return bad(format!("{place}: {name:?} is not among [keys] columns, so clean drops it"));
            }
        }
        Ok(())
    }

    fn ranges(&self) -> Outcome {
        for (name, column) in &self.columns {
            let (min, max) = (column.min.unwrap_or(f64::NEG_INFINITY), column.max.unwrap_or(f64::INFINITY));
            if min.is_nan() || max.is_nan() || min > max {
                return bad(format!("[columns.{name}]: min {min} is not below max {max}"));
            }
            if (column.min.is_some() || column.max.is_some())
                && matches!(column.kind, Kind::Text | Kind::Date)
            {
                return bad(format!("[columns.{name}]: min and max are for numbers"));
            }
        }
        let holdout = self.split.holdout;
        if !(0.0..1.0).contains(&holdout) {
            return bad(format!("[split] holdout {holdout}: a fraction from 0 up to, not including, 1"));
        }
        Ok(())
    }

    fn identities(&self) -> Outcome {
        for identity in &self.clean.identities {
            let place = format!("[clean] identity of {:?}", identity.total);
            if identity.parts.is_empty() {
                return bad(format!("{place} has no parts"));
            }
            for name in identity.parts.iter().chain([&identity.total]) {
                self.known(&place, name)?;
                if !matches!(self.columns[name].kind, Kind::Number | Kind::Integer) {
                    return bad(format!("{place}: {name:?} is not a number"));
                }
            }
            if !(identity.tolerance >= 0.0 && identity.tolerance.is_finite()) {
                return bad(format!("{place}: tolerance {} is not a distance", identity.tolerance));
            }
        }
        Ok(())
    }

    fn candidates(&self) -> Outcome {
        if self.candidates.is_empty() {
            return bad("no [[candidates]]: name at least one algorithm");
        }
        for (at, candidate) in self.candidates.iter().enumerate() {
            candidate.check()?;
            let name = candidate.name();
            if self.candidates[..at].iter().any(|earlier| earlier.name() == name) {
                return bad(format!(
                    "candidate {name:?} stands twice: give its settings several values instead"
                ));
            }
        }
        Ok(())
    }

    fn validation(&self) -> Outcome {
        if !(2..=100).contains(&self.validation.folds) {
            return bad(format!("[validation] folds {}: from 2 to 100", self.validation.folds));
        }
        if !self.validation.by.is_empty() {
            self.list("[validation] by", &self.validation.by)?;
        }
        if self.validation.by_time {
            let Some(time) = &self.keys.time else { return bad("[validation] by_time needs [keys] time") };
            // Other texts do not sort as time goes.
            if self.columns.get(time).is_none_or(|column| column.kind != Kind::Date) {
                return bad(format!("[validation] by_time: {time:?} is not a date"));
            }
        }
        Ok(())
    }

    fn preparation(&self) -> Outcome {
        for (name, prepare) in &self.prepare {
            if !self.features.columns.contains(name) {
                return bad(format!("[prepare.{name}]: it is not among [features] columns"));
            }
            if matches!(prepare.impute, Some(Impute::Constant(value)) if !value.is_finite()) {
                return bad(format!("[prepare.{name}]: impute is not a finite number"));
            }
            if prepare.missing_flag && prepare.impute.is_none() {
                return bad(format!(
                    "[prepare.{name}]: missing_flag needs impute, for without it a null is an error"
                ));
            }
            if prepare.winsorise.is_some_and(|share| !(0.0..0.5).contains(&share)) {
                return bad(format!(
                    "[prepare.{name}]: winsorise is a share from 0 up to, not including, 0.5"
                ));
            }
        }
        Ok(())
    }
}

fn bad(message: impl Into<String>) -> Outcome {
    Err(Failure::config(message))
}
