//! `GET /integrity`: whether what the databases hold holds together.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use super::json::Json;
use crate::integrity::Report;

/// Whether what the databases hold holds together.
///
/// Rows on both sides, references to rows that are not there, rules that rows break, the last copy and verification. The last report,
/// or a new one if that is not recent. One that takes longer than a request may goes on: ask again for it.
#[utoipa::path(
    get, path = "/integrity", tag = "Operations",
    responses((status = 200, body = Value), (status = 503, body = Value, description = "A database does not answer."))
)]
pub(super) async fn integrity(State(app): State<App>) -> (StatusCode, Json<Value>) {
    answer(&app, app.observed.examinations.recent().await)
}

/// Look anew at whether what the databases hold holds together.
///
/// One that takes longer than a request may goes on: `GET /integrity` tells when it is there.
#[utoipa::path(
    post, path = "/integrity", tag = "Operations",
    responses((status = 200, body = Value), (status = 503, body = Value, description = "A database does not answer."))
)]
pub(super) async fn fresh(State(app): State<App>) -> (StatusCode, Json<Value>) {
    answer(&app, app.observed.examinations.fresh().await)
}

fn answer(app: &App, report: Result<Arc<Report>, String>) -> (StatusCode, Json<Value>) {
    match report {
        Ok(report) => (StatusCode::OK, Json(report.json())),
        Err(problem) => {
            tracing::warn!(%problem, "the databases could not be examined");
            let last = app.observed.examinations.last().map(|report| report.json());
            let body = json!({
                "error": { "code": "DATABASE_ERROR", "message": problem },
                "last": last,
            });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
