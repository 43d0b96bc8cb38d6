//! The least that an axum server can do: `scripts/bench` measures `predictd` beside it.
//!
//! It parses the same JSON into nine doubles and answers a small object; no model, no limits, no checks of its own.

use std::io::Write;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;

#[derive(Deserialize)]
struct Round {
    sg_total: f64,
    driving_dist: f64,
    driving_acc: f64,
    gir: f64,
    scrambling: f64,
    prox_rgh: f64,
    prox_fw: f64,
    great_shots: f64,
    poor_shots: f64,
}

async fn predict(body: Bytes) -> Result<impl IntoResponse, StatusCode> {
    let round: Round = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let sum = round.sg_total
        + round.driving_dist
        + round.driving_acc
        + round.gir
        + round.scrambling
        + round.prox_rgh
        + round.prox_fw
        + round.great_shots
        + round.poor_shots;
    let answer = format!("{{\"sg_t2g\":{sum},\"model\":\"bare_0123456789ab\"}}");
    Ok(([(header::CONTENT_TYPE, "application/json")], answer))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stderr(), "bare: serving on http://{}", listener.local_addr()?)?;
    axum::serve(listener, Router::new().route("/predict", post(predict))).await
}
