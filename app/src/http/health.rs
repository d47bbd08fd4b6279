//! Whether the process is alive, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;

/// How long a database may take to answer before the service counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Health", responses((status = 200, body = Value)))]
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether every database that a repository runs on answers.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses((status = 200, body = Value), (status = 503, body = Value, description = "A database does not answer."))
)]
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let mut ready = true;
    let mut databases = serde_json::Map::new();
    for (name, state) in app.databases.ping(PATIENCE).await {
        ready &= state.is_ok();
        let state = match state {
            Ok(()) => json!({ "status": "ok" }),
            Err(error) => {
                tracing::warn!(database = %name, %error, "not ready");
                json!({ "status": "unavailable", "category": error.category() })
            }
        };
        databases.insert(name.to_string(), state);
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "status": if ready { "ready" } else { "unavailable" }, "databases": databases })),
    )
}
