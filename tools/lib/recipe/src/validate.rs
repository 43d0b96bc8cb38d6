use std::collections::BTreeSet;

use failure::{Failure, Outcome};
use schema::Type;
use suggestion::nearest;

use crate::{Impute, OnBadObject, Recipe, Substitute, Task, check_names, check_prefix};

/// Every one of them is looked for in every row.
const MOST_CATEGORIES: u32 = 1_000;

impl Recipe {
    /// What the types cannot say: names that exist, lists without repeats, numbers in range.
    pub(crate) fn validate(&self) -> Outcome {
        // First: what it does not make, nothing else can name.
        self.check_history()?;
        self.list("[keys] columns", &self.keys.columns)?;
        self.list("[keys] row", &self.keys.row)?;
        self.list("[features] columns", &self.features.columns)?;
        if self.split.walk_forward.is_none() {
            self.list("[split] by", &self.split.by)?;
        }
        if !self.clean.required.is_empty() {
            self.list("[clean] required", &self.clean.required)?;
        }
        self.known("[target] column", &self.target.column)?;
        let features = self.features.columns.iter().map(String::as_str);
        check_names(&self.recipe.name, &self.target.column, features)?;
        self.roles()?;
        self.ranges()?;
        self.identities()?;
        self.preparation()?;
        self.validation()?;
        self.check_walk()?;
        self.candidates()?;
        self.check_score_grid()?;
        self.gates()?;
        self.privacy()?;
        self.check_known()?;
        if let Some(prefix) = &self.registry.prefix {
            check_prefix(prefix).map_err(|failure| failure.at("[registry]"))?;
        }
        if let Some(intervals) = self.intervals {
            let coverage = intervals.coverage;
            if !(coverage > 0.0 && coverage < 1.0) {
                return bad(format!("[intervals] coverage {coverage}: a share above 0 and below 1"));
            }
            if self.target.task == Task::Classification {
                return bad("[intervals] are of numbers: classes have probabilities");
            }
        }
        match (self.training.on_bad_object, self.training.bad_objects_at_most) {
            (OnBadObject::Exclude, None | Some(0)) => {
                return bad(
                    "[training] on_bad_object = \"exclude\" needs bad_objects_at_most, a number above 0",
                );
            }
            (OnBadObject::Fail, Some(_)) => {
                return bad("[training] bad_objects_at_most is of on_bad_object = \"exclude\"");
            }
            _ => {}
        }
        self.drift.check().or_else(bad)
    }

    pub(crate) fn list(&self, place: &str, names: &[String]) -> Outcome {
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

    pub(crate) fn known(&self, place: &str, name: &str) -> Outcome {
        if self.columns.contains_key(name) {
            return Ok(());
        }
        let hint = nearest(name, self.columns.keys().map(String::as_str))
            .map_or_else(|| format!("add [columns.{name}]"), |near| format!("did you mean {near:?}?"));
        bad(format!("{place}: {name:?} has no [columns.{name}] section; {hint}"))
    }

    fn privacy(&self) -> Outcome {
        let (private, store) = (&self.privacy.private, self.privacy.store.as_deref().unwrap_or_default());
        for (place, names) in [("[privacy] private", private.as_slice()), ("[privacy] store", store)] {
            // An empty list says that there are none.
            if !names.is_empty() {
                self.list(place, names)?;
            }
        }
        match store.iter().find(|name| private.contains(name)) {
            Some(name) => bad(format!("[privacy] store: {name:?} is private: it cannot be kept, too")),
            None => Ok(()),
        }
    }

    /// Keys never become features: a model that knows who and when does not generalise.
    fn roles(&self) -> Outcome {
        for feature in self.features.columns.iter().chain([&self.target.column]) {
            if self.keys.columns.contains(feature) {
                return bad(format!("{feature:?} is a key: it cannot be a feature or the target too"));
            }
            let is_target = feature == &self.target.column;
            let may_be_text = !is_target || self.target.task == Task::Classification;
            match self.columns[feature].kind {
                Type::Number | Type::Integer => {}
                Type::Text(_) if may_be_text => {}
                Type::Text(_) => {
                    return bad(format!(
                        "[target] column {feature:?} is a text: that takes task = \"classification\""
                    ));
                }
                Type::Date | Type::Instant => {
                    return bad(format!("{feature:?} is a date: it can be neither a feature nor the target"));
                }
            }
        }
        self.classes()?;
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

    fn classes(&self) -> Outcome {
        let target = &self.target;
        if target.task != Task::Classification && (!target.classes.is_empty() || target.ordered) {
            return bad("[target] classes and ordered are for task = \"classification\"");
        }
        if target.task != Task::Regression && target.transform.is_some() {
            return bad("[target] transform is for task = \"regression\"");
        }
        if target.task == Task::Count && self.columns[&target.column].kind != Type::Integer {
            return bad(format!(
                "[target] task = \"count\": {:?} is a {} (give it type = \"integer\")",
                target.column, self.columns[&target.column].kind
            ));
        }
        if target.classes.len() == 1 {
            return bad("[target] classes: there is nothing to choose between fewer than two");
        }
        if target.ordered && target.classes.is_empty() {
            return bad("[target] ordered needs classes, in their order");
        }
        let mut seen = BTreeSet::new();
        match target.classes.iter().find(|class| !seen.insert(*class)) {
            Some(twice) => bad(format!("[target] classes names {twice:?} twice")),
            None => Ok(()),
        }
    }

    fn ranges(&self) -> Outcome {
        for (name, column) in &self.columns {
            if matches!(column.kind, Type::Text(Some(_))) {
                return bad(format!(
                    "[columns.{name}]: type {}: a size is a schema's (write text)",
                    column.kind
                ));
            }
            if let Some(format) = &column.format {
                if column.kind != Type::Date {
                    return bad(format!(
                        "[columns.{name}]: format is for dates, and the type is {}",
                        column.kind
                    ));
                }
                clock::DateFormat::new(format)
                    .map_err(|reason| Failure::config(format!("[columns.{name}]: {reason}")))?;
            }
            let (min, max) = (column.min.unwrap_or(f64::NEG_INFINITY), column.max.unwrap_or(f64::INFINITY));
            if min.is_nan() || max.is_nan() || min > max {
                return bad(format!("[columns.{name}]: min {min} is not below max {max}"));
            }
            if (column.min.is_some() || column.max.is_some())
                && matches!(column.kind, Type::Text(_) | Type::Date | Type::Instant)
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
                if !matches!(self.columns[name].kind, Type::Number | Type::Integer) {
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
            if !candidate.fits(self.target.task) {
                let (what, fitting) = match self.target.task {
                    Task::Regression => {
                        ("a number", "mean, linear, ridge, lasso, elastic_net, random_forest, boosted_trees")
                    }
                    Task::Classification => ("a class", "mean, logistic, random_forest, boosted_trees"),
                    Task::Count => ("a count", "mean, poisson, boosted_trees"),
                };
                return bad(format!(
                    "candidate {name:?} does not predict {what}, which the target is ({fitting} do)"
                ));
            }
            if self.candidates[..at].iter().any(|earlier| earlier.name() == name) {
                return bad(format!(
                    "candidate {name:?} stands twice: give its settings several values instead"
                ));
            }
        }
        Ok(())
    }

    fn gates(&self) -> Outcome {
        let known: Vec<&str> = match self.target.task {
            Task::Regression => metrics::OF_NUMBERS.to_vec(),
            Task::Classification => metrics::OF_CLASSES.to_vec(),
            Task::Count => metrics::OF_COUNTS.to_vec(),
        };
        for gate in &self.gates {
            let metric = gate.metric.as_str();
            let counts = ["rows", "groups"];
            if !known.contains(&metric) && !counts.contains(&metric) {
                let hint = nearest(metric, known.iter().copied()).map_or_else(
                    || format!("there is {}", known.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                return bad(format!("[[gates]] metric {metric:?}: {hint}"));
            }
            let limits = [gate.at_least, gate.at_most, gate.beats_baseline_by, gate.loses_to_approved_by];
            if limits.iter().all(Option::is_none) {
                return bad(format!(
                    "[[gates]] {metric}: it says nothing: give at_least, at_most, beats_baseline_by or loses_to_approved_by"
                ));
            }
            if limits.into_iter().flatten().any(|limit| !limit.is_finite()) {
                return bad(format!("[[gates]] {metric}: a limit is not a finite number"));
            }
            let shares = [gate.beats_baseline_by, gate.loses_to_approved_by];
            let is_compared = shares.iter().any(Option::is_some);
            if is_compared && metrics::Better::of(metric).is_none() {
                return bad(format!(
                    "[[gates]] {metric}: neither more nor less of it is better: give at_least and at_most"
                ));
            }
            if shares.into_iter().flatten().any(|share| share < 0.0) {
                return bad(format!("[[gates]] {metric}: a share is below 0"));
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
        if self.training.half_life.as_ref().is_some_and(|time| time.micros().is_none()) {
            return bad("[training] half_life: a length of time like \"730d\"");
        }
        if self.validation.by_time {
            let Some(time) = &self.keys.time else { return bad("[validation] by_time needs [keys] time") };
            // Other texts do not sort as time goes.
            if self.columns.get(time).is_none_or(|column| !matches!(column.kind, Type::Date | Type::Instant))
            {
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
            let is_text = self.is_text(name);
            let substitutes_text = matches!(prepare.impute, Some(Impute::Substitute(Substitute::Other)));
            if is_text && prepare.impute.is_some() && !substitutes_text {
                return bad(format!("[prepare.{name}]: a text's null takes impute = \"other\""));
            }
            if !is_text && substitutes_text {
                return bad(format!("[prepare.{name}]: impute = \"other\" is for texts"));
            }
            if is_text && (prepare.winsorise.is_some() || prepare.standardise) {
                return bad(format!("[prepare.{name}]: winsorise and standardise are for numbers"));
            }
            let selects = prepare.most.is_some() || prepare.min_rows.is_some();
            if !is_text && (selects || !prepare.categories.is_empty()) {
                return bad(format!("[prepare.{name}]: categories, most and min_rows are for texts"));
            }
            if selects && !prepare.categories.is_empty() {
                return bad(format!(
                    "[prepare.{name}]: categories says which texts count; most and min_rows would, too"
                ));
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = prepare.categories.iter().find(|text| !seen.insert(*text)) {
                return bad(format!("[prepare.{name}]: categories names {twice:?} twice"));
            }
            if !prepare.most.is_none_or(|most| (1..=MOST_CATEGORIES).contains(&most))
                || prepare.categories.len() > MOST_CATEGORIES as usize
            {
                return bad(format!("[prepare.{name}]: from 1 to {MOST_CATEGORIES} texts can count"));
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
