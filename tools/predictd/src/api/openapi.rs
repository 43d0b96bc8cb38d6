//! `GET /openapi.json`: what can be asked of the models that are served, as OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.1.html>).

use model_file::{Body, Feature};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::api::handlers::{Ready, ReadyModels};
use crate::api::request::Request;
use crate::api::response::{Answered, Problem, Response, title};
use crate::models::json::json as bytes;
use crate::models::model::Card;
use crate::models::snapshot::{ModelRoute, Served, Snapshot};
use crate::scoring::reader::LARGEST;

/// `GET /openapi.json`
pub(crate) fn openapi(snapshot: &Snapshot, request: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::json(of(snapshot, request.metrics.is_some())))
}

/// The document. It changes with the models.
fn of(snapshot: &Snapshot, measures: bool) -> Vec<u8> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for ModelRoute { name, served } in &snapshot.routes {
        let suffix = name.as_deref().map_or(String::new(), |name| format!("/{name}"));
        let title = name.as_deref().unwrap_or("the model");
        let place = ModelPaths { suffix: &suffix, title, most_rows: snapshot.limits.rows };
        add_model(&place, served, &mut generator, &mut schemas, &mut paths);
        if snapshot.routes.len() == 1 {
            paths.insert("/invocations".to_owned(), json!({ "post": invocations(&place) }));
        }
    }
    let open = |summary: &str, schema: Value| json!({ "get": { "summary": summary, "security": [], "responses": responses(json_of(&schema), &[503]) } });
    let alive =
        json!({ "type": "object", "properties": { "status": { "const": "alive" } }, "required": ["status"] });
    paths.insert("/healthz".to_owned(), open("Whether the program lives", alive));
    let ready = match snapshot.routes.as_slice() {
        [ModelRoute { name: None, .. }] => reference::<Ready<'_>>(&mut generator),
        _ => reference::<ReadyModels<'_>>(&mut generator),
    };
    paths.insert(
        "/readyz".to_owned(),
        open("Whether every model is there, and the one it should be", ready.clone()),
    );
    paths.insert("/ping".to_owned(), open("The same, as SageMaker asks it", ready));
    let text = |media: &str, summary: &str| {
        let content = json!({ (media): { "schema": { "type": "string" } } });
        json!({ "get": { "summary": summary, "responses": responses(content, &[401, 429, 503]) } })
    };
    paths.insert("/".to_owned(), text("text/html", "A page to try it"));
    if measures {
        paths.insert(
            "/metrics".to_owned(),
            text("application/openmetrics-text", "What happened, for Prometheus"),
        );
    }
    let itself = json!({ "application/json": { "schema": { "type": "object" } } });
    let described =
        json!({ "get": { "summary": "This document", "responses": responses(itself, &[401, 429, 503]) } });
    paths.insert("/openapi.json".to_owned(), described);
    schemas.insert("Problem".to_owned(), Value::Null);
    let problem = reference::<Problem<'_>>(&mut generator);
    debug_assert_eq!(problem, json!({ "$ref": PROBLEM }));
    schemas.extend(generator.take_definitions(true));
    bytes(&json!({
        "openapi": "3.1.0",
        "info": {
            "title": "predictd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions by approved models. What is wrong is said in the shape of RFC 9457.",
        },
        "paths": paths,
        "security": [{}, { "key": [] }, { "bearer": [] }],
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    }))
}

const PROBLEM: &str = "#/components/schemas/Problem";

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// Where a model stands in the paths.
struct ModelPaths<'a> {
    suffix: &'a str,
    title: &'a str,
    most_rows: usize,
}

impl ModelPaths<'_> {
    /// The schema of that name, in this model's words.
    fn name(&self, of: &str) -> String {
        format!("{of}{}", self.suffix.replace('/', "-"))
    }

    fn reference(&self, of: &str) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", self.name(of)) })
    }
}

fn add_model(
    place: &ModelPaths<'_>,
    served: &Served,
    generator: &mut SchemaGenerator,
    schemas: &mut Map<String, Value>,
    paths: &mut Map<String, Value>,
) {
    let (row, answer) = match &served.loaded {
        Some(loaded) => (row(loaded.model().body()), answer(loaded.model().body())),
        None => (json!({ "type": "object" }), json!({ "type": "object" })),
    };
    schemas.insert(place.name("Row"), row);
    schemas.insert(place.name("Answer"), answer);
    let one_or_many = |of: &str| {
        let one = place.reference(of);
        json!({ "anyOf": [one, { "type": "array", "items": one, "maxItems": place.most_rows }] })
    };
    let flag = |name: &str, what: &str| json!({ "name": name, "in": "query", "description": what, "schema": { "type": "boolean", "default": false } });
    let predict = json!({
        "summary": format!("Predictions by {}", place.title),
        "parameters": [
            flag("explain", "What each feature contributes, too"),
            flag("trial", "Not to be counted for drift, nor to be logged as a prediction"),
        ],
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": one_or_many("Row") },
            // What a CSV has to hold no schema can say.
            "text/csv": { "example": example(served) },
        } },
        "responses": responses(
            json!({
                "application/json": { "schema": one_or_many("Answer") },
                "text/csv": { "schema": { "type": "string", "description": "The rows with columns added" } },
            }),
            &[400, 401, 404, 408, 413, 415, 422, 429, 503],
        ),
    });
    paths.insert(format!("/predict{}", place.suffix), json!({ "post": predict }));
    let card = reference::<Card<'_>>(generator);
    let card = json!({
        "summary": format!("What {} is: fields, units, ranges, how good it is", place.title),
        "responses": responses(json_of(&card), &[401, 404, 429, 503]),
    });
    paths.insert(format!("/model{}", place.suffix), json!({ "get": card }));
}

/// A header and a row.
fn example(served: &Served) -> String {
    let Some(loaded) = &served.loaded else { return String::new() };
    let mut csv = loaded.header();
    for feature in loaded.features() {
        match feature.categories.first() {
            Some(text) => csv.push(text.as_bytes()),
            None => csv.push_number(feature.min),
        }
    }
    csv.end_row();
    String::from_utf8_lossy(csv.bytes()).into_owned()
}

fn invocations(place: &ModelPaths<'_>) -> Value {
    let rows = json!({ "type": "array", "items": place.reference("Row"), "maxItems": place.most_rows });
    let only = |member: &str| json!({ "type": "object", "properties": { (member): rows }, "required": [member], "additionalProperties": false });
    let predictions = json!({
        "type": "object",
        "properties": { "predictions": { "type": "array", "items": { "type": ["number", "string"] } } },
        "required": ["predictions"],
    });
    json!({
        "summary": "MLflow's scoring protocol; dataframe_split, inputs, lists of values and text/csv are read, too",
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": { "anyOf": [only("dataframe_records"), only("instances")] } },
        } },
        "responses": responses(json_of(&predictions), &[400, 401, 408, 413, 415, 422, 429, 503]),
    })
}

fn json_of(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// An answer of 200, and the problems that there may be.
fn responses(content: Value, problems: &[u16]) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "The answer", "content": content }));
    for status in problems {
        let problem = json!({ "application/problem+json": { "schema": { "$ref": PROBLEM } } });
        let description = title(*status);
        responses.insert(status.to_string(), json!({ "description": description, "content": problem }));
    }
    Value::Object(responses)
}

/// Exactly the model's features.
fn row(body: &Body) -> Value {
    let field = |feature: &Feature| {
        let mut kinds = match feature.categories.is_empty() {
            true => vec!["number"],
            // Digits are as good as the text that they are.
            false => vec!["string", "number"],
        };
        if feature.nulls {
            kinds.push("null");
        }
        let means_null = feature.nulls && !body.null_values.is_empty();
        let about = [
            feature.description.clone(),
            feature.unit.as_ref().map(|unit| format!("in {unit}")),
            feature.categories.is_empty().then(|| format!("trained on {} to {}", feature.min, feature.max)),
            means_null.then(|| format!("null may be written {}", body.null_values.join(", "))),
        ];
        let about: Vec<String> = about.into_iter().flatten().collect();
        let mut schema = json!({ "type": kinds, "description": about.join("; ") });
        match feature.categories.is_empty() {
            true => {
                schema["minimum"] = json!(-LARGEST);
                schema["maximum"] = json!(LARGEST);
                if means_null {
                    schema = json!({ "anyOf": [schema, { "enum": body.null_values }] });
                }
            }
            false => {
                schema["minLength"] = json!(1);
                schema["examples"] = json!(feature.categories);
            }
        }
        (feature.name.clone(), schema)
    };
    let names: Vec<&str> = body.features.iter().map(|feature| feature.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": body.features.iter().map(field).collect::<Map<String, Value>>(),
        "required": names,
        "additionalProperties": false,
    })
}

fn answer(body: &Body) -> Value {
    let number = || json!({ "type": "number" });
    let numbers = |names: &[String]| {
        let each = names.iter().map(|name| (name.clone(), number()));
        json!({ "type": "object", "properties": each.collect::<Map<String, Value>>(), "required": names })
    };
    let features: Vec<String> = body.features.iter().map(|feature| feature.name.clone()).collect();
    let target = &body.target;
    let mut properties = Map::new();
    let mut required = vec![target.name.as_str(), "model"];
    let prediction = match target.classes.as_slice() {
        [] => {
            json!({ "type": "number", "description": target.unit.as_ref().map_or(String::new(), |unit| format!("in {unit}")) })
        }
        classes => json!({ "enum": classes }),
    };
    properties.insert(target.name.clone(), prediction);
    if !target.classes.is_empty() {
        properties.insert("probabilities".to_owned(), numbers(&target.classes));
        required.push("probabilities");
    }
    if let Some(intervals) = &body.intervals {
        for end in ["low", "high"] {
            let about =
                format!("{} of 100 answers should lie between low and high", 100.0 * intervals.coverage);
            properties.insert(end.to_owned(), json!({ "type": "number", "description": about }));
            required.push(end);
        }
    }
    let outside = json!({ "type": "array", "items": { "enum": features }, "description": "Fields beyond what the model was trained on" });
    properties.insert("outside_training_range".to_owned(), outside);
    properties.insert("base".to_owned(), number());
    properties.insert("contributions".to_owned(), numbers(&features));
    properties.insert("model".to_owned(), json!({ "type": "string" }));
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}
