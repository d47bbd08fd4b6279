//! The lab's interface, as its clients know it.

mod experiments;
mod stored;
mod synth_groups;
mod synths;

use axum::routing::get;
use axum::{Json, Router};
use cutover_ports::{Page, PageRequest};
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

use super::App;
use super::error::{unknown_method, unknown_path};
use super::request::{Mistakes, Parameters};

/// The largest page.
const LIMIT_MAX: i64 = 200;

/// Every route beneath `/lab`.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(about))
        .route("/health", get(health))
        .nest("/experiments", experiments::router())
        .nest("/synth-groups", synth_groups::router())
        .nest("/synths", synths::router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        // The original answers any origin.
        .layer(CorsLayer::permissive())
}

async fn about() -> Json<Value> {
    Json(json!({
        "name": "synth-lab API",
        "version": env!("CARGO_PKG_VERSION"),
        "docs": "/docs",
        "health": "/lab/health",
    }))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "synth-lab-api" }))
}

/// `limit` and `offset` of a list.
fn page_request(parameters: &Parameters, mistakes: &mut Mistakes) -> PageRequest {
    let limit = parameters.integer("limit", 1..=LIMIT_MAX, 50, mistakes);
    let offset = parameters.integer("offset", 0..=i64::MAX, 0, mistakes);
    // Outside the ranges the request is refused anyway.
    PageRequest {
        limit: u32::try_from(limit).unwrap_or(0),
        offset: u64::try_from(offset).unwrap_or(0),
    }
}

/// A page's answer.
fn page_json<T>(request: PageRequest, page: &Page<T>, item: impl Fn(&T) -> Value) -> Json<Value> {
    Json(json!({
        "data": page.items.iter().map(item).collect::<Vec<_>>(),
        "pagination": {
            "total": page.total,
            "limit": request.limit,
            "offset": request.offset,
            "has_next": request.has_next(page.total),
        },
    }))
}
