//! Whether the process is alive, and whether it can do its work.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use super::json::Json;

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Health", responses((status = 200, body = Value)))]
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether PostgreSQL, if it is configured, and the SQLite files in use answer in time and take writes, with schemas that can be served.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses((status = 200, body = Value), (status = 503, body = Value, description = "A database does not answer, takes no writes, or its schema is old."))
)]
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let ready = app.observed.readiness.check().await;
    ready.log();
    let status = if ready.ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(ready.json()))
}
