//! The model as ONNX, the exchange format of <https://onnx.ai>: preparation and algorithm in double precision, by its standard operators alone.
//!
//! One input of one column for each feature, by its name: doubles, NaN where there is a null; texts, the empty one where there is a null.

mod graph;
mod proto;
mod trees;

use failure::{Failure, Outcome};
use model_file::{Algorithm, Column, Feature, Model, Plane, Sum, Term, Tree};
use prost::Message;

use graph::{Builder, ML_OPSET, Name, OPSET};
use proto::{Attribute, IR_VERSION, OperatorSet, Property, Tensor};
use trees::{Aimed, ensemble};

/// The file's bytes.
pub(crate) fn file(model: &Model) -> Outcome<Vec<u8>> {
    let body = model.body();
    let predicted = format!("predicted_{}", body.target.name);
    let mut own = vec![predicted.as_str()];
    if !model.classes().is_empty() {
        own.push("probabilities");
    }
    if body.intervals.is_some() {
        own.extend(["low", "high"]);
    }
    if let Some(feature) = body
        .features
        .iter()
        .find(|feature| own.contains(&feature.name.as_str()) || feature.name.starts_with('/'))
    {
        return Err(Failure::data(format!(
            "{}: a feature is called {:?}, which is the name of a result in the ONNX file",
            model.id(),
            feature.name
        )));
    }
    let mut graph = Builder::new(model.id());
    for feature in &body.features {
        graph.input(&feature.name, !feature.categories.is_empty(), words_of(feature));
    }
    let columns = prepared(&mut graph, &body.features, &body.preparation);
    let like = body.features[0].name.as_str(); // a model has at least one, or it is refused on load
    let mut maker = Maker { graph, columns, like };
    if model.classes().is_empty() {
        let number = maker.number(&body.algorithm);
        let unit = body.target.unit.as_deref().unwrap_or_default();
        let mut graph = maker.graph;
        if let Some(intervals) = &body.intervals {
            let words = format!("holds {} of the answers, {unit}", intervals.coverage);
            let half = graph.number(intervals.half_width);
            for (name, operator) in [("low", "Sub"), ("high", "Add")] {
                let end = graph.apply(operator, &[&number, &half], Vec::new());
                graph.output(name, end, false, 1, &words);
            }
        }
        graph.output(&predicted, number, false, 1, unit);
        return Ok(sealed(model, graph));
    }
    let classes = model.classes();
    let probabilities = maker.probabilities(&body.algorithm, classes.len());
    let mut graph = maker.graph;
    let first = vec![Attribute::int("axis", 1), Attribute::int("keepdims", 1)];
    let best = graph.apply("ArgMax", &[&probabilities], first);
    let names = graph.constant(Tensor::strings(classes.to_vec()));
    let best = graph.apply("Gather", &[&names, &best], vec![Attribute::int("axis", 0)]);
    graph.output(&predicted, best, true, 1, "the most probable class");
    graph.output("probabilities", probabilities, false, classes.len(), &classes.join(", "));
    Ok(sealed(model, graph))
}

/// The file around the graph: which model this is.
fn sealed(model: &Model, graph: Builder) -> Vec<u8> {
    let body = model.body();
    let set = |domain: &str, version| OperatorSet { domain: domain.to_owned(), version };
    let property = |key: &str, value: &str| Property { key: key.to_owned(), value: value.to_owned() };
    let mut metadata_props = vec![
        property("model_id", &model.id()),
        property("sha256", model.sha256()),
        property("training_key", &body.training_key),
        property("algorithm", body.algorithm.name()),
    ];
    if let Some(newest) = &body.data.newest {
        metadata_props.push(property("newest_data", newest));
    }
    let file = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "fairway".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: body.recipe.description.clone(),
        graph: Some(graph.finish()),
        opset_import: vec![set("", OPSET), set("ai.onnx.ml", ML_OPSET)],
        metadata_props,
    };
    file.encode_to_vec()
}

fn words_of(feature: &Feature) -> String {
    let mut words: Vec<String> =
        [&feature.description, &feature.unit].into_iter().flatten().cloned().collect();
    if feature.categories.is_empty() {
        words.push(format!("{} to {} in training", feature.min, feature.max));
    } else {
        words.push(format!("{} texts in training", feature.categories.len()));
    }
    words.join(", ")
}

/// What the algorithm sees, a name for each column.
fn prepared(graph: &mut Builder, features: &[Feature], preparation: &[Column]) -> Vec<Name> {
    let plain =
        |feature| Column::Number { feature, null: None, low: None, high: None, mean: None, deviation: None };
    let as_they_come: Vec<Column> = (0..features.len()).map(plain).collect();
    let columns = if preparation.is_empty() { &as_they_come } else { preparation };
    columns.iter().map(|column| column_of(graph, features, column)).collect()
}

fn column_of(graph: &mut Builder, features: &[Feature], column: &Column) -> Name {
    let feature = &features[column.feature()];
    let text = |category: u32| feature.categories[category as usize].clone();
    let input = feature.name.as_str();
    match column {
        Column::Number { null, low, high, mean, deviation, .. } => {
            let raw = if feature.categories.is_empty() { input.to_owned() } else { place(graph, feature) };
            let mut number = raw.clone();
            for (operator, limit) in [("Less", low), ("Greater", high)] {
                if let Some(limit) = limit {
                    let limit = graph.number(*limit);
                    // False for NaN, which stays one.
                    let is_outside = graph.apply(operator, &[&number, &limit], Vec::new());
                    number = graph.apply("Where", &[&is_outside, &limit, &number], Vec::new());
                }
            }
            if let Some(null) = null {
                let is_null = graph.apply("IsNaN", &[&raw], Vec::new());
                let null = graph.number(*null);
                number = graph.apply("Where", &[&is_null, &null, &number], Vec::new());
            }
            for (operator, by) in [("Sub", mean), ("Div", deviation)] {
                if let Some(by) = by {
                    let by = graph.number(*by);
                    number = graph.apply(operator, &[&number, &by], Vec::new());
                }
            }
            number
        }
        Column::Missing { .. } if feature.categories.is_empty() => {
            let is_null = graph.apply("IsNaN", &[input], Vec::new());
            graph.as_doubles(&is_null)
        }
        Column::Missing { .. } => looked_up(graph, input, vec![(String::new(), 1)], 0),
        Column::Category { category, .. } => looked_up(graph, input, vec![(text(*category), 1)], 0),
        Column::Other { known, .. } => {
            looked_up(graph, input, known.iter().map(|category| (text(*category), 0)).collect(), 1)
        }
        Column::Ordinal { order, .. } => {
            looked_up(graph, input, order.iter().map(|category| text(*category)).zip(0..).collect(), -1)
        }
    }
}

/// A text's place among those that the feature knows, -1 for any other; NaN for a null.
fn place(graph: &mut Builder, feature: &Feature) -> Name {
    const NULL: i64 = -2;
    let mut places: Vec<(String, i64)> = feature.categories.iter().cloned().zip(0..).collect();
    places.push((String::new(), NULL));
    let place = looked_up(graph, &feature.name, places, -1);
    let (null, nan) = (graph.number(NULL as f64), graph.number(f64::NAN));
    let is_null = graph.apply("Equal", &[&place, &null], Vec::new());
    graph.apply("Where", &[&is_null, &nan, &place], Vec::new())
}

/// A number for each text.
fn looked_up(graph: &mut Builder, input: &str, known: Vec<(String, i64)>, other: i64) -> Name {
    let (keys, values) = known.into_iter().unzip();
    let attributes = vec![
        Attribute::strings("keys_strings", keys),
        Attribute::ints("values_int64s", values),
        Attribute::int("default_int64", other),
    ];
    let found = graph.apply_ml("LabelEncoder", input, attributes);
    graph.as_doubles(&found)
}

/// The algorithm, on columns that are prepared.
struct Maker<'a> {
    graph: Builder,
    columns: Vec<Name>,
    /// An input, which has as many rows as there are.
    like: &'a str,
}

impl Maker<'_> {
    fn number(&mut self, algorithm: &Algorithm) -> Name {
        match algorithm {
            Algorithm::Linear { intercept, terms }
            | Algorithm::Ridge { intercept, terms, .. }
            | Algorithm::Lasso { intercept, terms, .. }
            | Algorithm::ElasticNet { intercept, terms, .. } => self.planes(&[(*intercept, terms)]),
            Algorithm::RandomForest { trees } => {
                let all = trees.iter().map(|tree| Aimed { tree, target: 0 }).collect();
                let sum = self.trees(all, 1);
                let count = self.graph.number(trees.len() as f64);
                self.graph.apply("Div", &[&sum, &count], Vec::new())
            }
            Algorithm::BoostedTrees { base, trees } => self.sums(&[(*base, trees)]),
            Algorithm::Poisson { intercept, terms, .. } => {
                let log_mean = self.planes(&[(*intercept, terms)]);
                self.graph.apply("Exp", &[&log_mean], Vec::new())
            }
            Algorithm::PoissonBoosted { base, trees } => {
                let log_mean = self.sums(&[(*base, trees)]);
                self.graph.apply("Exp", &[&log_mean], Vec::new())
            }
            Algorithm::Log1p { ratio, of } => {
                let logarithm = self.number(of);
                let exponential = self.graph.apply("Exp", &[&logarithm], Vec::new());
                let (ratio, one) = (self.graph.number(*ratio), self.graph.number(1.0));
                let scaled = self.graph.apply("Mul", &[&exponential, &ratio], Vec::new());
                self.graph.apply("Sub", &[&scaled, &one], Vec::new())
            }
            Algorithm::Mean { value } => self.graph.rows_of(vec![*value], self.like),
            Algorithm::ClassShares { .. }
            | Algorithm::Logistic { .. }
            | Algorithm::ClassForest { .. }
            | Algorithm::ClassBoosted { .. } => {
                unreachable!("a model that predicts a number is checked on load")
            }
        }
    }

    fn probabilities(&mut self, algorithm: &Algorithm, classes: usize) -> Name {
        match algorithm {
            Algorithm::ClassShares { shares } => self.graph.rows_of(shares.clone(), self.like),
            Algorithm::Logistic { planes, .. } => {
                let planes: Vec<_> =
                    planes.iter().map(|Plane { intercept, terms }| (*intercept, terms)).collect();
                let log_odds = self.planes(&planes);
                if planes.len() == 1 {
                    return self.two(&log_odds);
                }
                self.graph.apply("Softmax", &[&log_odds], vec![Attribute::int("axis", 1)])
            }
            Algorithm::ClassForest { shares, trees } => {
                // Leaves are places in the list of shares: one column for each tree.
                let all = trees.iter().zip(0..).map(|(tree, target)| Aimed { tree, target }).collect();
                let places = self.trees(all, trees.len());
                let whole = Attribute::int("to", i64::from(proto::INT64));
                let places = self.graph.apply("Cast", &[&places], vec![whole]);
                let table = Tensor::doubles(&[shares.len(), classes], shares.concat());
                let table = self.graph.constant(table);
                let leaves = self.graph.apply("Gather", &[&table, &places], vec![Attribute::int("axis", 0)]);
                let sum = self.graph.sum_of_row(&leaves, false);
                let count = self.graph.number(trees.len() as f64);
                self.graph.apply("Div", &[&sum, &count], Vec::new())
            }
            Algorithm::ClassBoosted { sums } => {
                let sums: Vec<_> = sums.iter().map(|Sum { base, trees }| (*base, trees)).collect();
                let log_odds = self.sums(&sums);
                if sums.len() == 1 {
                    return self.two(&log_odds);
                }
                let each = self.graph.apply("Sigmoid", &[&log_odds], Vec::new());
                let all = self.graph.sum_of_row(&each, true);
                self.graph.apply("Div", &[&each, &all], Vec::new())
            }
            _ => unreachable!("a model that predicts classes is checked on load"),
        }
    }

    /// The probabilities of two classes, each from its own side, from the log odds of the second.
    fn two(&mut self, log_odds: &str) -> Name {
        let other = self.graph.apply("Neg", &[log_odds], Vec::new());
        let both = self.graph.side_by_side(&[other, log_odds.to_owned()]);
        self.graph.apply("Sigmoid", &[&both], Vec::new())
    }

    /// A column for each intercept and terms. Columns without a term stay out: 0 times NaN is not 0.
    fn planes(&mut self, planes: &[(f64, &Vec<Term>)]) -> Name {
        let mut used: Vec<usize> =
            planes.iter().flat_map(|(_, terms)| terms.iter().map(|term| term.feature)).collect();
        used.sort_unstable();
        used.dedup();
        let intercepts: Vec<f64> = planes.iter().map(|(intercept, _)| *intercept).collect();
        if used.is_empty() {
            return self.graph.rows_of(intercepts, self.like);
        }
        let columns: Vec<Name> = used.iter().map(|column| self.columns[*column].clone()).collect();
        let columns = self.graph.side_by_side(&columns);
        let mut weights = vec![0.0; used.len() * planes.len()];
        for (plane, (_, terms)) in planes.iter().enumerate() {
            for term in *terms {
                if let Ok(row) = used.binary_search(&term.feature) {
                    weights[row * planes.len() + plane] += term.coefficient;
                }
            }
        }
        let weights = self.graph.constant(Tensor::doubles(&[used.len(), planes.len()], weights));
        let sums = self.graph.apply("MatMul", &[&columns, &weights], Vec::new());
        let intercepts = self.graph.row(intercepts);
        self.graph.apply("Add", &[&sums, &intercepts], Vec::new())
    }

    /// A column for each base and trees.
    fn sums(&mut self, sums: &[(f64, &Vec<Tree>)]) -> Name {
        let bases: Vec<f64> = sums.iter().map(|(base, _)| *base).collect();
        let mut all = Vec::new();
        for (target, (_, trees)) in sums.iter().enumerate() {
            all.extend(trees.iter().map(|tree| Aimed { tree, target }));
        }
        if all.is_empty() {
            return self.graph.rows_of(bases, self.like);
        }
        let trees = self.trees(all, sums.len());
        let bases = self.graph.row(bases);
        self.graph.apply("Add", &[&trees, &bases], Vec::new())
    }

    fn trees(&mut self, trees: Vec<Aimed<'_>>, targets: usize) -> Name {
        let columns = self.graph.side_by_side(&self.columns);
        self.graph.apply_ml("TreeEnsemble", &columns, ensemble(&trees, targets))
    }
}
