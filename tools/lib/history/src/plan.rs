use failure::{Failure, Outcome};
use recipe::{
    Cell, HalfLife, History, HistoryFeature, Known, Margin, Output, Period, Prior, Recipe, Statistic,
};

use crate::columns::CellRules;

/// `[history]` of a recipe, laid out for computing: names have become places.
#[derive(Debug)]
pub struct Plan {
    /// What the recipe says.
    pub history: History,
    pub(crate) cells: CellRules,
    /// After how many microseconds of silence an entity starts anew.
    pub(crate) newcomer_after: Option<i64>,
    /// Kinds of entities, as the recipe's.
    pub(crate) kinds: Vec<Kind>,
    /// Features of windows and of all rows.
    pub(crate) features: Vec<Feature>,
    pub(crate) ratings: Vec<Rating>,
    /// The columns of a question that must be there, for they are known ahead.
    pub(crate) ahead: Vec<String>,
    /// The columns that features make, in order.
    pub(crate) outputs: Vec<Made>,
}

/// A kind of entity.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) input: usize,
    pub(crate) roles: usize,
    /// What is kept of a row, of each role.
    pub(crate) measures: Vec<Measure>,
    /// Every row is kept: one can be corrected, or a statistic goes over all of them.
    pub(crate) keeps_all: bool,
    /// Rows can come in another order than they happened.
    pub(crate) is_mixed: bool,
    /// The features of `Plan::features` that are of this kind, in order.
    pub(crate) features: Vec<usize>,
    /// Those of them that are kept up to date row by row, and those of them that need to know what they were before.
    pub(crate) running: Vec<usize>,
    pub(crate) lagged: Vec<usize>,
}

/// What is read of a role's measure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measure {
    /// The number.
    Number(String),
    /// 1 unless it is null.
    Present(String),
    /// 1 if it is one of the values, and else 0.
    Member(String, Vec<Cell>),
}

impl Measure {
    pub(crate) fn name(&self) -> &str {
        match self {
            Measure::Number(name) | Measure::Present(name) | Measure::Member(name, _) => name,
        }
    }
}

/// A feature of one entity's rows.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) kind: usize,
    pub(crate) statistic: Rule,
    /// Places in the kind's measures; without one every row counts.
    pub(crate) of: Option<usize>,
    pub(crate) per: Option<usize>,
    pub(crate) last: Option<usize>,
    pub(crate) within: Option<Period>,
    pub(crate) lag: Option<Period>,
    /// Its place in the kind's `running`, and in its `lagged`.
    pub(crate) running: Option<usize>,
    pub(crate) lagged: Option<usize>,
}

impl Feature {
    /// Whether a row that is too old for it stays so.
    pub(crate) fn is_windowed(&self) -> bool {
        self.last.is_some() || self.within.is_some()
    }
}

/// What is computed. `ShrunkMean` leaves sum and count to whoever knows the prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Std,
    Rate,
    ShrunkMean { k: f64 },
    EwmRows { decay: f64 },
    EwmTime { half_life: f64 },
    Streak,
    Since { cap: Option<u32> },
}

/// Elo.
#[derive(Debug)]
pub(crate) struct Rating {
    pub(crate) kind: usize,
    pub(crate) of: usize,
    pub(crate) start: f64,
    pub(crate) k: f64,
    pub(crate) home: f64,
    pub(crate) margin: Margin,
    pub(crate) carry: Option<f64>,
    /// The column of the term.
    pub(crate) term: Option<String>,
}

/// Where the values of a column come from.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) output: Output,
    pub(crate) from: Source,
    /// Of `shrunk_mean`: what the mean is without rows.
    pub(crate) prior: Option<PriorOf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    Feature(usize),
    Rating(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PriorOf {
    Number(f64),
    /// The column of outputs in which it stands.
    Output(usize),
}

impl Plan {
    /// Lays out the history of a recipe; a recipe without one is a failure (78).
    pub fn new(recipe: &Recipe) -> Outcome<Plan> {
        let Some(history) = &recipe.history else {
            return Err(Failure::config(format!("recipe {}: it has no [history]", recipe.recipe.name)));
        };
        let mut plan = Plan {
            history: history.clone(),
            cells: CellRules::of(recipe)?,
            newcomer_after: history.newcomer_after.as_ref().and_then(Period::micros),
            kinds: history.entities.iter().map(|entity| kind(history, entity)).collect(),
            features: Vec::new(),
            ratings: Vec::new(),
            ahead: ahead(recipe),
            outputs: Vec::new(),
        };
        for feature in &history.features {
            plan.add(feature)?;
        }
        plan.find_priors();
        Ok(plan)
    }

    /// Whether a kind's entities are asked for: whether there is a feature or a rating of them.
    pub(crate) fn is_asked(&self, kind: usize) -> bool {
        !self.kinds[kind].features.is_empty() || self.ratings.iter().any(|rating| rating.kind == kind)
    }

    /// The columns that are appended to a question, in order.
    pub fn columns(&self) -> Vec<String> {
        self.history.columns()
    }

    fn add(&mut self, feature: &HistoryFeature) -> Outcome {
        let of_this = |entity: &recipe::Entity| entity.name == feature.entity;
        let Some(at) = self.history.entities.iter().position(of_this) else {
            return Err(Failure::config(format!("feature {:?} has no entity", feature.name)));
        };
        let from = match feature.statistic {
            Statistic::Rating => {
                let of = self.measure(at, Measure::Number(feature.of.clone().unwrap_or_default()));
                self.ratings.push(Rating {
                    kind: at,
                    of,
                    start: feature.start.unwrap_or_default(),
                    k: feature.k.unwrap_or_default(),
                    home: feature.home.unwrap_or_default(),
                    margin: feature.margin,
                    carry: feature.carry,
                    term: feature.carry_by.clone(),
                });
                Source::Rating(self.ratings.len() - 1)
            }
            _ => {
                self.add_feature(at, feature);
                Source::Feature(self.features.len() - 1)
            }
        };
        for (output, name) in self.history.columns_of(feature) {
            self.outputs.push(Made { name, output, from, prior: None });
        }
        Ok(())
    }

    fn add_feature(&mut self, at: usize, feature: &HistoryFeature) {
        let number = self.features.len();
        let name = feature.of.clone();
        let of = name.map(|name| match feature.statistic {
            Statistic::Count | Statistic::Since => Measure::Present(name),
            Statistic::Streak => Measure::Member(name, feature.values.clone()),
            _ => Measure::Number(name),
        });
        let of = of.map(|measure| self.measure(at, measure));
        let per = feature.per.clone().map(|name| self.measure(at, Measure::Number(name)));
        let statistic = rule(feature);
        let is_windowed = feature.last.is_some() || feature.within.is_some();
        let kind = &mut self.kinds[at];
        kind.features.push(number);
        let (mut running, mut lagged) = (None, None);
        match (is_windowed, statistic) {
            (false, Rule::Std) => kind.keeps_all = true,
            (false, _) if feature.lag.is_some() && kind.is_mixed => kind.keeps_all = true,
            (false, _) => {
                running = Some(kind.running.len());
                kind.running.push(number);
                if feature.lag.is_some() {
                    lagged = Some(kind.lagged.len());
                    kind.lagged.push(number);
                }
            }
            (true, _) => {}
        }
        self.features.push(Feature {
            kind: at,
            statistic,
            of,
            per,
            last: feature.last.map(|last| last as usize),
            within: feature.within.clone(),
            lag: feature.lag.clone(),
            running,
            lagged,
        });
    }

    /// The place of a measure among those of a kind.
    fn measure(&mut self, kind: usize, wanted: Measure) -> usize {
        let measures = &mut self.kinds[kind].measures;
        measures.iter().position(|measure| *measure == wanted).unwrap_or_else(|| {
            measures.push(wanted);
            measures.len() - 1
        })
    }

    fn find_priors(&mut self) {
        let mut made = 0;
        for feature in &self.history.features {
            for (output, _) in self.history.columns_of(feature) {
                let prior = match (&feature.prior, output) {
                    (Some(Prior::Number(number)), _) => Some(PriorOf::Number(*number)),
                    (Some(Prior::Feature(name)), Output::Role(role)) => {
                        let prior = self.history.features.iter().find(|prior| prior.name == *name);
                        let column = prior.and_then(|prior| self.history.column_of_role(prior, role));
                        let place = self.outputs.iter().position(|made| Some(&made.name) == column.as_ref());
                        place.map(PriorOf::Output)
                    }
                    _ => None,
                };
                self.outputs[made].prior = prior;
                made += 1;
            }
        }
    }
}

/// The features that are known ahead and cannot be null.
fn ahead(recipe: &Recipe) -> Vec<String> {
    let is_ahead =
        |name: &&String| recipe.columns.get(*name).is_some_and(|column| column.known == Some(Known::Ahead));
    let names = recipe.features.columns.iter().filter(is_ahead);
    names.filter(|name| !recipe.may_be_null(name)).cloned().collect()
}

fn kind(history: &History, entity: &recipe::Entity) -> Kind {
    let input = history.inputs.iter().position(|input| input.name == entity.input).unwrap_or_default();
    let is_mixed = history.inputs.get(input).is_none_or(|input| !input.is_fixed());
    Kind {
        input,
        roles: entity.roles.len(),
        measures: Vec::new(),
        keeps_all: is_mixed,
        is_mixed,
        features: Vec::new(),
        running: Vec::new(),
        lagged: Vec::new(),
    }
}

fn rule(feature: &HistoryFeature) -> Rule {
    match feature.statistic {
        Statistic::Count => Rule::Count,
        Statistic::Sum => Rule::Sum,
        Statistic::Mean => Rule::Mean,
        Statistic::Min => Rule::Min,
        Statistic::Max => Rule::Max,
        Statistic::First => Rule::First,
        Statistic::Last => Rule::Last,
        Statistic::Std => Rule::Std,
        Statistic::Rate => Rule::Rate,
        Statistic::ShrunkMean => Rule::ShrunkMean { k: feature.k.unwrap_or_default() },
        Statistic::Ewm => match &feature.half_life {
            Some(HalfLife::Rows(rows)) => Rule::EwmRows { decay: 0.5f64.powf(1.0 / rows) },
            Some(HalfLife::Time(time)) => Rule::EwmTime { half_life: time.micros().unwrap_or(1) as f64 },
            None => Rule::EwmRows { decay: 1.0 },
        },
        Statistic::Streak => Rule::Streak,
        // A rating is no feature of one entity's rows: it never comes here.
        Statistic::Since | Statistic::Rating => Rule::Since { cap: feature.cap },
    }
}
