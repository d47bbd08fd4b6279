//! The market's interface, as SPY-tracker's clients know it.

mod admin;
mod completed;
mod date;
mod days;
mod error;
mod predictions;
mod read;
mod scheduler;
mod stored;
mod suggestions;
mod unserved;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use cutover_ports::StoreResult;
use cutover_ports::market::PriceSource;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::completed::Completed;
use super::App;
use super::error::{unknown_method, unknown_path};
use crate::http::json::Json;
use crate::jobs::Scheduler;
use crate::usecase::market::{Market, MarketRules};

pub(super) use error::MarketHttpError;
use scheduler::JobOverview;

/// What the market's handlers need besides the repositories.
#[derive(Clone)]
pub struct MarketService {
    /// Whether it is served.
    pub enabled: bool,
    /// The name that the interface's health tells.
    pub name: String,
    /// Where its web page comes from, or `*`.
    pub frontend_origin: String,
    /// Where prices come from.
    pub prices: Arc<dyn PriceSource>,
    /// What is configured.
    pub rules: Arc<MarketRules>,
    /// When today's row was completed.
    pub completed: Arc<Completed>,
    /// What runs the jobs; none where no run could be noted.
    pub scheduler: Option<Arc<Scheduler>>,
}

impl std::fmt::Debug for MarketService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MarketService")
            .field("name", &self.name)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Every route beneath `/market`.
pub(super) fn router() -> OpenApiRouter<App> {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(healthz))
        .merge(days::router())
        .merge(suggestions::router())
        .merge(predictions::router())
        .merge(admin::router())
        .merge(scheduler::router())
        .merge(unserved::router())
        .split_for_parts();
    let routes = routes
        // Described with everything else.
        .route("/docs", get(async || Redirect::temporary("/docs")))
        .route("/redoc", get(async || Redirect::temporary("/docs")))
        .route(
            "/openapi.json",
            get(async || Redirect::temporary("/openapi.json")),
        )
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method);
    let mut router = OpenApiRouter::from(routes);
    *router.get_openapi_mut() = document;
    router
}

fn market(app: &App) -> Market {
    Market::new(
        app.routing.market(),
        Arc::clone(&app.market.prices),
        Arc::clone(&app.clock),
        Arc::clone(&app.market.rules),
    )
}

/// Every job, when it is due next, and its last runs: what `/ops/jobs` shows.
pub(super) async fn job_overview(app: &App, runs_max: u32) -> StoreResult<JobOverview> {
    scheduler::overview(app, runs_max).await
}

/// That the interface answers.
#[derive(Serialize, ToSchema)]
struct MarketHealth {
    /// Always `ok`.
    status: &'static str,
    /// Its name.
    app: String,
}

/// Whether the interface answers. Asks no database.
#[utoipa::path(get, path = "/healthz", tag = "Market", responses((status = 200, body = MarketHealth)))]
async fn healthz(State(app): State<App>) -> Json<MarketHealth> {
    Json(MarketHealth {
        status: "ok",
        app: app.market.name.clone(),
    })
}
