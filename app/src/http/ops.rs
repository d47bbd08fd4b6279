//! `/ops`: steering the service. Closed unless a token is configured, and then open to who shows it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::error::{Failure, HttpError, unknown_method, unknown_path};
use super::integrity;
use super::job_status::{self, JobStatus};
use super::json::Json;
use crate::config::{Config, OpsConfig};
use crate::verification::Started;

/// Every route beneath `/ops`, behind the guard.
pub(super) fn router(config: &OpsConfig) -> OpenApiRouter<App> {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(routing))
        .routes(routes!(integrity::fresh))
        .routes(routes!(verification, verify))
        .routes(routes!(jobs))
        .split_for_parts();
    let routes = routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        // Around all of it: whoever has no token does not even learn which paths there are.
        .layer(from_fn_with_state(config.clone(), guard));
    let mut router = OpenApiRouter::from(routes);
    *router.get_openapi_mut() = document;
    router
}

/// Lets nobody through without the token.
async fn guard(State(config): State<OpsConfig>, request: Request, next: Next) -> Response {
    let Some(token) = &config.token else {
        let text = "the endpoints under /ops are off: set ops.token (CUTOVER_OPS_TOKEN) to use them";
        return HttpError::Detail(StatusCode::FORBIDDEN, text.to_owned()).into_response();
    };
    let shown = bearer(request.headers()).unwrap_or_default();
    // How long this takes says nothing about how much of it is right.
    if !bool::from(shown.as_bytes().ct_eq(token.expose().as_bytes())) {
        tracing::warn!("a call of /ops without the right token");
        let text =
            "this needs the token that is configured as ops.token, in the header Authorization: Bearer …";
        let refusal = HttpError::Detail(StatusCode::UNAUTHORIZED, text.to_owned());
        return ([(header::WWW_AUTHENTICATE, "Bearer realm=\"ops\"")], refusal).into_response();
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Which repository runs where.
#[utoipa::path(get, path = "/routing", tag = "Operations", responses((status = 200, body = Value)))]
async fn routing(State(app): State<App>) -> Json<Value> {
    let contexts = app.observed.config.contexts();
    let repositories = contexts.iter().flat_map(|context| {
        context.repositories.iter().map(|repository| {
            json!({
                "context": context.schema.name,
                "name": repository.name,
                "backend": repository.backend.name(),
                "tables": repository.tables,
            })
        })
    });
    Json(json!({ "repositories": repositories.collect::<Vec<_>>() }))
}

/// Begin to compare the SQLite files with PostgreSQL.
#[utoipa::path(
    post, path = "/verify", tag = "Operations",
    responses(
        (status = 202, body = Value),
        (status = 409, body = Failure, description = "One runs already, or there are no two databases to compare."),
    )
)]
async fn verify(State(app): State<App>) -> Result<(StatusCode, Json<Value>), HttpError> {
    let verification = &app.observed.verification;
    if let Some(text) = nothing_to_compare(&app.observed.config) {
        return Err(HttpError::Detail(StatusCode::CONFLICT, text.to_owned()));
    }
    match verification.start() {
        Started::Now => Ok((StatusCode::ACCEPTED, Json(verification.json()))),
        Started::RunsAlready => {
            let text = "a verification runs already; GET /ops/verify shows how it ends";
            Err(HttpError::Detail(StatusCode::CONFLICT, text.to_owned()))
        }
    }
}

/// Why there are no two databases to compare, if that is so now.
fn nothing_to_compare(config: &Config) -> Option<&'static str> {
    if config.postgres.is_none() {
        return Some("there is nothing to compare with: no PostgreSQL database is configured");
    }
    let is_there = config.sqlite_files().iter().any(|file| file.exists());
    (!is_there).then_some("there is nothing to compare with: the SQLite file is not there")
}

/// The comparison that runs, or how the last one ended.
#[utoipa::path(get, path = "/verify", tag = "Operations", responses((status = 200, body = Value)))]
async fn verification(State(app): State<App>) -> Json<Value> {
    Json(app.observed.verification.json())
}

/// How many runs of a context's jobs are shown.
const RUNS_SHOWN: u32 = 200;

/// The background jobs and their last runs; of the market's the whole record.
#[utoipa::path(get, path = "/jobs", tag = "Operations", responses((status = 200, body = Value)))]
async fn jobs(State(app): State<App>) -> Result<Json<Value>, HttpError> {
    let jobs = job_status::statuses(&app).await?;
    let jobs: Vec<Value> = jobs.iter().map(JobStatus::json).collect();
    let mut document = json!({ "jobs": jobs });
    if app.market.scheduler.is_some() {
        document["market"] = json!(super::market::job_overview(&app, RUNS_SHOWN).await?);
    }
    Ok(Json(document))
}
