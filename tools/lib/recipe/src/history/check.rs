//! What the types of `[history]` cannot say.

use std::collections::BTreeSet;

use failure::{Failure, Outcome};
use schema::Type;
use suggestion::nearest;

use super::{Cell, Entity, Feature, HalfLife, History, Input, Known, Output, Prior, Questions, Statistic};
use crate::{Column, Recipe};

/// No window of a recipe holds more rows.
const LONGEST_WINDOW: u32 = 1_000_000;

impl Recipe {
    /// Makes columns of what `[history]` and `[calendar]` append, where the recipe says nothing more of them.
    pub(crate) fn add_history_columns(&mut self) {
        let calendar = self.calendar.as_ref().map_or(Vec::new(), |calendar| calendar.columns.clone());
        let Some(history) = &mut self.history else { return };
        history.calendar = calendar;
        for name in history.columns() {
            self.columns.entry(name).or_insert_with(Column::of_numbers);
        }
    }

    pub(crate) fn check_history(&self) -> Outcome {
        let Some(history) = &self.history else {
            return match (
                self.calendar.is_some(),
                self.columns.iter().find(|(_, column)| column.known.is_some()),
            ) {
                (true, _) => bad("[calendar] needs [history], whose questions it is of"),
                (_, Some((name, _))) => bad(format!("[columns.{name}]: known is of recipes with [history]")),
                (false, None) => Ok(()),
            };
        };
        if !history.shard.is_empty() {
            self.list("[history] shard", &history.shard)?;
        }
        if history.newcomer_after.as_ref().is_some_and(|after| after.micros().is_none()) {
            return bad("[history] newcomer_after: a length of time like \"400d\"");
        }
        if history.inputs.is_empty() || history.entities.is_empty() || history.features.is_empty() {
            return bad(
                "[history] needs inputs, entities and features: [history.inputs.X], [history.entities.Y], [[history.features]]",
            );
        }
        history.inputs.iter().try_for_each(|input| self.check_input(input))?;
        self.check_questions(history)?;
        history.entities.iter().try_for_each(|entity| self.check_entity(history, entity))?;
        self.check_names_of(history)?;
        history.features.iter().try_for_each(|feature| self.check_feature(history, feature))
    }

    fn check_input(&self, input: &Input) -> Outcome {
        let place = format!("[history.inputs.{}]", input.name);
        if !is_name(&input.name) {
            return bad(format!("{place}: a name is made of letters, digits, `_` and `-`"));
        }
        self.list(&format!("{place} key"), &input.key)?;
        self.list(&format!("{place} happened"), &input.happened)?;
        self.moments(&place, &input.happened)?;
        if let Some(known) = &input.known {
            self.moments(&place, std::slice::from_ref(known))?;
        }
        match &input.known_after {
            None if input.known.is_none() => {
                return bad(format!(
                    "{place}: from when on is a row known? (known_after = \"3h\", or known = a column)"
                ));
            }
            Some(after) if after.micros().is_none() => {
                return bad(format!("{place}: known_after is a length of time like \"3h\""));
            }
            _ => {}
        }
        for (column, values) in &input.only {
            self.known(&format!("{place} where"), column)?;
            if values.is_empty() {
                return bad(format!("{place} where: no value of {column:?} is wanted"));
            }
        }
        Ok(())
    }

    fn check_questions(&self, history: &History) -> Outcome {
        let place = "[history.questions]";
        self.list(&format!("{place} key"), history.questions.key())?;
        match &history.questions {
            Questions::Given { asked, at, .. } => {
                if asked.is_empty() {
                    return bad(format!(
                        "{place}: name the columns `asked` (and `at`), or say `every`, `horizon`, `step` and `target`"
                    ));
                }
                self.list(&format!("{place} asked"), asked)?;
                self.moments(place, asked)?;
                if !at.is_empty() {
                    self.list(&format!("{place} at"), at)?;
                }
                self.moments(place, at)
            }
            Questions::Made { key, every, horizon, step, target } => {
                self.known(&format!("{place} target"), target)?;
                let [input] = history.inputs.as_slice() else {
                    return bad(format!(
                        "{place}: questions are made for the keys of one input, and there are several"
                    ));
                };
                let micros = |name: &str, period: &crate::Period| {
                    period.micros().ok_or_else(|| {
                        Failure::config(format!("{place} {name}: a length of time like \"1h\""))
                    })
                };
                let (_, horizon, step) =
                    (micros("every", every)?, micros("horizon", horizon)?, micros("step", step)?);
                if horizon % step != 0 {
                    return bad(format!("{place}: the horizon is no multiple of the step"));
                }
                if !input.only.is_empty() || !input.is_fixed() {
                    return bad(format!(
                        "{place}: [history.inputs.{}] has one column `happened`, which is among its key, and neither `known` nor `where`",
                        input.name
                    ));
                }
                if let Some(name) =
                    key.iter().find(|name| !input.key.contains(name) || input.happened.contains(name))
                {
                    return bad(format!(
                        "{place} key: {name:?} is not among the other columns of the input's key"
                    ));
                }
                match ["asked", "at"].iter().find(|name| !self.keys.columns.iter().any(|key| key == *name)) {
                    Some(name) => {
                        bad(format!("{place}: questions that are made have {name:?} among [keys] columns"))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn check_entity(&self, history: &History, entity: &Entity) -> Outcome {
        let place = format!("[history.entities.{}]", entity.name);
        if !is_name(&entity.name) {
            return bad(format!("{place}: a name is made of letters, digits, `_` and `-`"));
        }
        if !history.inputs.iter().any(|input| input.name == entity.input) {
            return bad(format!("{place}: there is no [history.inputs.{}]", entity.input));
        }
        let Some(first) = entity.roles.first() else {
            return bad(format!(
                "{place} has no role, like home = {{ key = [\"home_team\"], goals = \"home_goals\" }}"
            ));
        };
        for role in &entity.roles {
            let place = format!("{place} {}", role.name);
            if role.key.is_empty() {
                return bad(format!("{place}: key is empty"));
            }
            for name in
                role.key.iter().filter(|name| !history.calendar.iter().any(|made| made.name() == *name))
            {
                self.known(&format!("{place} key"), name)?;
            }
            if role.key.len() != first.key.len() {
                return bad(format!(
                    "{place}: keys of one kind of entity have as many columns in every role"
                ));
            }
            role.measures.values().try_for_each(|column| self.known(&place, column))?;
        }
        Ok(())
    }

    /// Each column that is made has one name, and a name of its own.
    fn check_names_of(&self, history: &History) -> Outcome {
        let mut seen = BTreeSet::new();
        let roles = history.entities.iter().flat_map(|entity| &entity.roles);
        let measured: BTreeSet<&String> = roles.flat_map(|role| role.measures.values()).collect();
        for name in history.columns() {
            if measured.contains(&name) {
                return bad(format!(
                    "[[history.features]]: {name:?} would take the place of the column that features are made of"
                ));
            }
            let is_other = self.keys.columns.contains(&name) || self.target.column == name;
            if is_other || !seen.insert(name.clone()) {
                return bad(format!("[[history.features]]: {name:?} is the name of another column, too"));
            }
            if self
                .columns
                .get(&name)
                .is_some_and(|column| !matches!(column.kind, Type::Number | Type::Integer))
            {
                return bad(format!("[columns.{name}]: [history] makes numbers of that name"));
            }
        }
        Ok(())
    }

    fn check_feature(&self, history: &History, feature: &Feature) -> Outcome {
        let place = format!("[[history.features]] {}", feature.name);
        if !is_name(&feature.name) {
            return bad(format!("{place}: a name is made of letters, digits, `_` and `-`"));
        }
        let Some(entity) = history.entity_of(feature) else {
            let names = history.entities.iter().map(|entity| entity.name.as_str());
            let hint = nearest(&feature.entity, names)
                .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            return bad(format!("{place}: there is no [history.entities.{}]{hint}", feature.entity));
        };
        if feature.contrast && entity.roles.len() != 2 {
            return bad(format!(
                "{place}: contrast is the difference of two roles, and {:?} has {}",
                entity.name,
                entity.roles.len()
            ));
        }
        self.check_measures(&place, entity, feature)?;
        self.check_settings(&place, feature)?;
        self.check_window(&place, history, feature)?;
        self.check_statistic(&place, history, feature, entity)
    }

    fn check_measures(&self, place: &str, entity: &Entity, feature: &Feature) -> Outcome {
        use Statistic::{Count, Rate, Since, Streak};
        for (said, name, is_wanted) in [
            ("of", &feature.of, !matches!(feature.statistic, Count | Since)),
            ("per", &feature.per, feature.statistic == Rate),
        ] {
            let Some(name) = name else {
                if is_wanted {
                    return bad(format!("{place}: `{said}` names the measure"));
                }
                continue;
            };
            if said == "per" && !is_wanted {
                return bad(format!("{place}: `per` is of statistic = \"rate\""));
            }
            let columns: Vec<&String> =
                entity.roles.iter().filter_map(|role| role.measures.get(name)).collect();
            if columns.is_empty() {
                let all = entity.roles.iter().flat_map(|role| role.measures.keys()).map(String::as_str);
                let hint =
                    nearest(name, all).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                return bad(format!("{place}: no role of {:?} has a measure {name:?}{hint}", entity.name));
            }
            let is_number =
                |column: &&&String| matches!(self.columns[**column].kind, Type::Number | Type::Integer);
            let takes_text = matches!(feature.statistic, Streak | Count | Since);
            if let Some(column) = columns.iter().find(|column| !is_number(column) && !takes_text) {
                return bad(format!("{place}: {column:?} is not a number"));
            }
        }
        Ok(())
    }

    /// A setting of another statistic is a mistake.
    fn check_settings(&self, place: &str, feature: &Feature) -> Outcome {
        use Statistic::{Ewm, Rating, ShrunkMean, Since, Streak};
        let settings: [(&str, bool, &[Statistic]); 10] = [
            ("k", feature.k.is_some(), &[ShrunkMean, Rating]),
            ("prior", feature.prior.is_some(), &[ShrunkMean]),
            ("half_life", feature.half_life.is_some(), &[Ewm]),
            ("values", !feature.values.is_empty(), &[Streak]),
            ("cap", feature.cap.is_some(), &[Since]),
            ("start", feature.start.is_some(), &[Rating]),
            ("home", feature.home.is_some(), &[Rating]),
            ("margin", !feature.margin.is_none(), &[Rating]),
            ("carry", feature.carry.is_some(), &[Rating]),
            ("carry_by", feature.carry_by.is_some(), &[Rating]),
        ];
        for (name, is_said, of) in settings {
            let is_its = of.contains(&feature.statistic);
            if is_said && !is_its {
                return bad(format!("{place}: `{name}` is no setting of this statistic"));
            }
            let may_lack = matches!(name, "cap" | "home" | "margin" | "carry" | "carry_by");
            if is_its && !is_said && !may_lack {
                return bad(format!("{place}: this statistic needs `{name}`"));
            }
        }
        let numbers = [feature.k, feature.start, feature.home, feature.carry];
        if numbers.into_iter().flatten().any(|number| !number.is_finite()) {
            return bad(format!("{place}: a setting is not a finite number"));
        }
        if feature.k.is_some_and(|k| k <= 0.0) {
            return bad(format!("{place}: k is above 0"));
        }
        Ok(())
    }

    fn check_window(&self, place: &str, history: &History, feature: &Feature) -> Outcome {
        use Statistic::{Rating, Streak};
        let is_by_rows = matches!(feature.half_life, Some(HalfLife::Rows(_)));
        let is_windowed = feature.last.is_some() || feature.within.is_some() || feature.lag.is_some();
        if is_windowed && (is_by_rows || matches!(feature.statistic, Rating | Streak)) {
            return bad(format!(
                "{place}: it is of all rows, one after the other: no `last`, `within` or `lag`"
            ));
        }
        if feature.last.is_some_and(|last| !(1..=LONGEST_WINDOW).contains(&last)) {
            return bad(format!("{place}: last is from 1 to {LONGEST_WINDOW} rows"));
        }
        if let (Some(lag), Questions::Made { horizon, .. }) = (&feature.lag, &history.questions) {
            let (lag_micros, horizon_micros) =
                (lag.micros().unwrap_or(lag.longest()), horizon.micros().unwrap_or(0));
            if lag_micros < horizon_micros {
                return bad(format!("{place}: the lag {lag} is shorter than the horizon {horizon}"));
            }
        }
        Ok(())
    }

    fn check_statistic(&self, place: &str, history: &History, feature: &Feature, entity: &Entity) -> Outcome {
        match &feature.half_life {
            Some(HalfLife::Rows(rows)) if !(*rows > 0.0 && rows.is_finite()) => {
                return bad(format!(
                    "{place}: half_life is a number of rows above 0, or a time like \"30d\""
                ));
            }
            Some(HalfLife::Time(time)) if time.micros().is_none() => {
                return bad(format!("{place}: half_life is a length of time like \"30d\""));
            }
            _ => {}
        }
        match &feature.prior {
            Some(Prior::Number(number)) if !number.is_finite() => {
                return bad(format!("{place}: prior is not a finite number"));
            }
            Some(Prior::Feature(name)) => {
                let Some(prior) = history.features.iter().find(|prior| prior.name == *name) else {
                    return bad(format!("{place}: prior: there is no feature {name:?}"));
                };
                if prior.entity == feature.entity || prior.statistic == Statistic::ShrunkMean {
                    return bad(format!(
                        "{place}: prior {name:?} is a feature of another kind of entity, and no shrunk_mean"
                    ));
                }
                let roles = history.entity_of(prior).map_or(&[][..], |entity| &entity.roles);
                let names =
                    |roles: &[super::Role]| roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>();
                if roles.len() != 1 && names(roles) != names(&entity.roles) {
                    return bad(format!("{place}: prior {name:?} has other roles than {:?}", entity.name));
                }
            }
            _ => {}
        }
        if feature.values.iter().any(|value| matches!(value, Cell::Number(number) if !number.is_finite())) {
            return bad(format!("{place}: values: not a finite number"));
        }
        if feature.statistic == Statistic::Rating {
            if entity.roles.len() != 2 {
                return bad(format!(
                    "{place}: a rating is of the two roles of a row, and {:?} has {}",
                    entity.name,
                    entity.roles.len()
                ));
            }
            let of = feature.of.as_deref().unwrap_or_default();
            if entity.roles.iter().any(|role| !role.measures.contains_key(of)) {
                return bad(format!("{place}: both roles need the measure {of:?}: the greater one has won"));
            }
            match (&feature.carry, &feature.carry_by) {
                (Some(carry), Some(by)) => {
                    self.known(&format!("{place} carry_by"), by)?;
                    if !(0.0..=1.0).contains(carry) {
                        return bad(format!("{place}: carry is a share from 0 to 1"));
                    }
                }
                (None, None) => {}
                _ => return bad(format!("{place}: carry and carry_by belong together")),
            }
        }
        Ok(())
    }

    /// Every feature is made, or the recipe says from when on it is known.
    pub(crate) fn check_known(&self) -> Outcome {
        let Some(history) = &self.history else { return Ok(()) };
        let made: BTreeSet<String> = history.columns().into_iter().collect();
        for name in self.features.columns.iter().filter(|name| !made.contains(*name)) {
            match self.columns[name].known {
                Some(Known::Ahead | Known::Static) => {}
                Some(Known::UntilCutoff) => {
                    return bad(format!(
                        "[features] column {name:?} is known only afterwards: make [[history.features]] of it"
                    ));
                }
                None => {
                    return bad(format!(
                        "[features] column {name:?}: [history] does not make it, so say in [columns.{name}] when it is known: \
                         known = \"ahead\", \"static\" or \"until_cutoff\""
                    ));
                }
            }
        }
        match self.columns.get(&self.target.column).and_then(|column| column.known) {
            Some(Known::Ahead | Known::Static) => bad(format!(
                "[target] column {:?} is known ahead: there is nothing to predict",
                self.target.column
            )),
            _ => Ok(()),
        }
    }

    fn moments(&self, place: &str, names: &[String]) -> Outcome {
        for name in names {
            self.known(place, name)?;
            let column = &self.columns[name];
            if !matches!(column.kind, Type::Date | Type::Instant) || column.format.is_some() {
                return bad(format!(
                    "{place}: {name:?} is no column of type date or instant, written as ISO 8601 has it"
                ));
            }
        }
        Ok(())
    }
}

impl History {
    /// The column of a feature for a role: its own, or the only one that there is.
    pub fn column_of_role(&self, feature: &Feature, role: usize) -> Option<String> {
        let columns = self.columns_of(feature);
        let own = columns.iter().find(|(output, _)| *output == Output::Role(role)).or(columns.first());
        own.map(|(_, name)| name.clone())
    }
}

/// Names open columns and stand in states.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn bad(message: impl Into<String>) -> Outcome {
    Err(Failure::config(message))
}
