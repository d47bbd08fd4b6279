//! The lab's interface, as its clients know it.

mod analyses;
mod charts;
mod documents;
mod elsewhere;
mod experiments;
mod explorations;
mod page;
mod picture;
mod research;
mod simulation;
mod stored;
mod synth_groups;
mod synths;

use axum::extract::OriginalUri;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::error::unknown_method;
use super::json::Json;
use super::paths::Paths;

/// What only reads although its method is POST, because of its body.
pub(super) const SEARCH: &str = "/lab/synths/search";

/// Every route beneath `/lab`.
pub(super) fn router() -> OpenApiRouter<App> {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(about))
        .routes(routes!(health))
        .merge(experiments::router())
        .merge(analyses::router())
        .merge(charts::router())
        .merge(documents::router())
        .merge(explorations::router())
        .merge(research::router())
        .merge(simulation::router())
        .merge(synth_groups::router())
        .merge(synths::router())
        .merge(elsewhere::router())
        .split_for_parts();
    let paths = Paths::new("lab", document.paths.paths.keys());
    let routes = routes
        .fallback(move |uri: OriginalUri| paths.lead_on(uri))
        .method_not_allowed_fallback(unknown_method);
    let mut router = OpenApiRouter::from(routes);
    *router.get_openapi_mut() = document;
    router
}

/// What answers at `/lab/`: the same as at `/lab`.
pub(super) fn root() -> MethodRouter<App> {
    get(about)
}

/// What this interface is.
#[derive(Serialize, ToSchema)]
struct LabAbout {
    /// Its name.
    name: &'static str,
    /// The version of the interface.
    version: &'static str,
    /// Where it is described.
    docs: &'static str,
    /// Where its health is told.
    health: &'static str,
}

/// What this interface is.
#[utoipa::path(get, path = "/", tag = "Lab", responses((status = 200, body = LabAbout)))]
async fn about() -> Json<LabAbout> {
    Json(LabAbout {
        name: "synth-lab API",
        version: "1.0.0",
        docs: "/docs",
        health: "/lab/health",
    })
}

/// That the interface answers.
#[derive(Serialize, ToSchema)]
struct LabHealth {
    /// Always `healthy`.
    status: &'static str,
    /// The original's name.
    service: &'static str,
}

/// Whether the interface answers.
#[utoipa::path(get, path = "/health", tag = "Lab", responses((status = 200, body = LabHealth)))]
async fn health() -> Json<LabHealth> {
    Json(LabHealth {
        status: "healthy",
        service: "synth-lab-api",
    })
}
