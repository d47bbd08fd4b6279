//! What needs a model, or market data that no job needs. This is a storage service: it says so.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use crate::http::App;
use crate::http::request::PathText;

const TAG: &str = "Market: not served here";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(market_data))
        .routes(routes!(market_status))
        .routes(routes!(backfill, backfill_post))
        .routes(routes!(actuals_range))
        .routes(routes!(simulate_simple))
        .routes(routes!(simulation_run))
        .routes(routes!(simulation_quick))
        .routes(routes!(demo))
        .routes(routes!(demo_day))
}

fn not_here(what: &str) -> MarketHttpError {
    MarketHttpError::not_here(format!(
        "{what} is not part of this storage service; ask the original service for it"
    ))
}

/// A symbol's market data.
#[utoipa::path(
    get, path = "/market-data/{symbol}", tag = TAG, params(("symbol" = String, Path, description = "The symbol.")),
    responses((status = 501, body = MarketFailure))
)]
async fn market_data(_: PathText) -> MarketHttpError {
    not_here("Live market data")
}

/// Whether the market is open.
#[utoipa::path(get, path = "/market-status", tag = TAG, responses((status = 501, body = MarketFailure)))]
async fn market_status() -> MarketHttpError {
    not_here("The market's status")
}

/// Prices of a past day.
#[utoipa::path(
    get, path = "/admin/backfill-actuals/{date}", tag = TAG, params(("date" = String, Path, description = "The day.")),
    responses((status = 501, body = MarketFailure))
)]
async fn backfill(_: PathText) -> MarketHttpError {
    not_here("Backfilling prices from daily bars")
}

/// Prices of a past day.
#[utoipa::path(
    post, path = "/admin/backfill-actuals/{date}", tag = TAG, params(("date" = String, Path, description = "The day.")),
    responses((status = 501, body = MarketFailure))
)]
async fn backfill_post(_: PathText) -> MarketHttpError {
    not_here("Backfilling prices from daily bars")
}

/// Prices of several days.
#[utoipa::path(
    post, path = "/admin/refresh-actuals-intraday-range", tag = TAG, responses((status = 501, body = MarketFailure))
)]
async fn actuals_range() -> MarketHttpError {
    not_here("Refreshing the prices of several days within the day")
}

/// Simulated days.
#[utoipa::path(
    post, path = "/admin/simulate-simple/{days}", tag = TAG, params(("days" = String, Path, description = "How many.")),
    responses((status = 501, body = MarketFailure))
)]
async fn simulate_simple(_: PathText) -> MarketHttpError {
    not_here("The simulation of past days")
}

/// Simulated days.
#[utoipa::path(post, path = "/simulation/run", tag = TAG, responses((status = 501, body = MarketFailure)))]
async fn simulation_run() -> MarketHttpError {
    not_here("The simulation of past days")
}

/// Simulated days.
#[utoipa::path(
    get, path = "/simulation/quick/{days}", tag = TAG, params(("days" = String, Path, description = "How many.")),
    responses((status = 501, body = MarketFailure))
)]
async fn simulation_quick(_: PathText) -> MarketHttpError {
    not_here("The simulation of past days")
}

/// A model's prediction of today.
#[utoipa::path(get, path = "/ai/demo", tag = TAG, responses((status = 501, body = MarketFailure)))]
async fn demo() -> MarketHttpError {
    not_here("A prediction by a language model")
}

/// A model's prediction of a day.
#[utoipa::path(
    get, path = "/ai/demo/{date}", tag = TAG, params(("date" = String, Path, description = "The day.")),
    responses((status = 501, body = MarketFailure))
)]
async fn demo_day(_: PathText) -> MarketHttpError {
    not_here("A prediction by a language model")
}
