//! `GET /integrity`: whether what the databases hold holds together.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use crate::integrity::Report;

/// The last report; a new one if that is not recent.
pub(super) async fn integrity(State(app): State<App>) -> (StatusCode, Json<Value>) {
    answer(&app, app.observed.examinations.recent().await)
}

/// A new report.
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
