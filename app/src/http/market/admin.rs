//! `/market/admin`.

use axum::extract::State;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::DuplicateAnalysis;
use cutover_domain::market::daily_prediction::DayPrices;
use cutover_domain::stored::TextEnum as _;
use cutover_ports::market::TimeForm;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use super::market;
use super::read::{QueryValues as _, path_day};
use super::stored::{day, instant_as_stored, number};
use crate::http::App;
use crate::http::json::Json;
use crate::http::request::{Mistakes, Parameters, PathText};
use crate::http::schema::{StoredNumber, StoredText};
use crate::usecase::market::prices::OfficialUpdate;

const TAG: &str = "Market: administration";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(capture_status))
        .routes(routes!(cleanup_future))
        .routes(routes!(duplicates))
        .routes(routes!(remove_duplicates))
        .routes(routes!(refresh_official))
        .routes(routes!(refresh_official_range))
        .routes(routes!(refresh_actuals))
}

/// How many days back.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `capture_status` reads")]
struct MarketCaptureQuery {
    /// Days; any number.
    #[param(required = false, default = 30)]
    days: i64,
}

/// How completely prices were captured.
#[derive(Serialize, ToSchema)]
struct MarketCaptureStatus {
    /// Of which days.
    analysis_period: MarketPeriod,
    /// How completely.
    capture_quality: MarketCaptureQuality,
    /// How many prices were logged for these days.
    total_price_logs: u64,
    /// The days, the latest first.
    recent_captures: Vec<MarketCapture>,
}

/// Days from one to another.
#[derive(Serialize, ToSchema)]
struct MarketPeriod {
    /// How many days were asked for.
    days_requested: i64,
    /// How many of them are stored.
    days_analyzed: usize,
    /// The first.
    start_date: String,
    /// The last.
    end_date: String,
}

/// How many days have all four prices.
#[derive(Serialize, ToSchema)]
struct MarketCaptureQuality {
    /// Their share.
    completeness_rate: f64,
    /// How many have all.
    days_with_complete_data: usize,
    /// How many do not.
    days_with_missing_data: usize,
}

/// The prices of a day.
#[derive(Serialize, ToSchema)]
struct MarketCapture {
    /// The day.
    #[schema(value_type = StoredText)]
    date: Value,
    /// Whether all four are known.
    complete: bool,
    /// The prices.
    prices: MarketPrices,
    /// What is missing.
    missing_fields: Vec<&'static str>,
}

/// Four prices.
#[derive(Serialize, ToSchema)]
struct MarketPrices {
    /// At the opening.
    #[schema(value_type = StoredNumber)]
    open: Value,
    /// At noon.
    #[schema(value_type = StoredNumber)]
    noon: Value,
    /// At two in the afternoon.
    #[serde(rename = "twoPM")]
    #[schema(value_type = StoredNumber)]
    two_pm: Value,
    /// At the close.
    #[schema(value_type = StoredNumber)]
    close: Value,
}

/// How completely prices were captured.
#[utoipa::path(
    get, path = "/admin/price-capture-status", tag = TAG, params(MarketCaptureQuery),
    responses((status = 200, body = MarketCaptureStatus))
)]
async fn capture_status(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<MarketCaptureStatus>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let days_requested = parameters.whole("days", 30, &mut mistakes);
    mistakes.finish(Some(()))?;
    let status = market(&app).capture_status(days_requested).await?;
    let captures: Vec<MarketCapture> = status
        .days
        .iter()
        .map(|row| {
            let price = |checkpoint| number(row.fields.stored_price(checkpoint));
            let missing_fields: Vec<&'static str> = Checkpoint::PREDICTED
                .into_iter()
                .filter(|checkpoint| row.fields.stored_price(*checkpoint).is_none())
                .map(|checkpoint| checkpoint.as_str())
                .collect();
            MarketCapture {
                date: day(&row.day),
                complete: missing_fields.is_empty(),
                prices: MarketPrices {
                    open: price(Checkpoint::Open),
                    noon: price(Checkpoint::Noon),
                    two_pm: price(Checkpoint::TwoPm),
                    close: price(Checkpoint::Close),
                },
                missing_fields,
            }
        })
        .collect();
    let complete = captures.iter().filter(|capture| capture.complete).count();
    Ok(Json(MarketCaptureStatus {
        analysis_period: MarketPeriod {
            days_requested,
            days_analyzed: captures.len(),
            start_date: status.from.to_string(),
            end_date: status.to.to_string(),
        },
        capture_quality: MarketCaptureQuality {
            completeness_rate: if captures.is_empty() {
                0.0
            } else {
                complete as f64 / captures.len() as f64
            },
            days_with_complete_data: complete,
            days_with_missing_data: captures.len() - complete,
        },
        total_price_logs: status.logs,
        recent_captures: captures,
    }))
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
struct MarketSweep {
    /// Always `success`.
    status: &'static str,
    /// How many rows.
    cleaned_up: MarketSwept,
    /// The last day that was kept.
    cutoff_date: String,
}

/// How many rows were deleted.
#[derive(Serialize, ToSchema)]
struct MarketSwept {
    /// Days.
    daily_predictions: u64,
    /// Predictions of models.
    ai_predictions: u64,
}

/// Delete what is stored for days to come.
#[utoipa::path(
    post, path = "/admin/cleanup-future-data", tag = TAG, responses((status = 200, body = MarketSweep))
)]
async fn cleanup_future(State(app): State<App>) -> Result<Json<MarketSweep>, MarketHttpError> {
    let swept = market(&app).sweep_future().await?;
    Ok(Json(MarketSweep {
        status: "success",
        cleaned_up: MarketSwept {
            daily_predictions: swept.daily_predictions,
            ai_predictions: swept.ai_predictions,
        },
        cutoff_date: swept.today.to_string(),
    }))
}

/// What is stored twice.
#[derive(Serialize, ToSchema)]
struct MarketDuplicates {
    /// Always `success`.
    status: &'static str,
    /// What was done, if something was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// How many rows were deleted, if some were.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_records: Option<u64>,
    /// What was found.
    analysis: MarketDuplicateAnalysis,
    /// What to do about it; left out where nothing was found to delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    recommendation: Option<&'static str>,
}

/// Predictions of which there should be one.
#[derive(Serialize, ToSchema)]
struct MarketDuplicateAnalysis {
    /// All predictions.
    total_records: u64,
    /// The moments of days that they are of.
    unique_combinations: u64,
    /// How many there are too many.
    duplicate_records: u64,
    /// Moments of days that have several, the newest day first.
    duplicate_groups: Vec<MarketDuplicateGroup>,
    /// How many of these.
    duplicate_count: usize,
}

/// Predictions of one moment of one day.
#[derive(Serialize, ToSchema)]
struct MarketDuplicateGroup {
    /// The day.
    date: String,
    /// The moment.
    checkpoint: String,
    /// How many.
    count: usize,
    /// Their numbers.
    ids: Vec<String>,
    /// When the first was stored.
    #[schema(value_type = Option<String>)]
    first_created: Value,
    /// When the last was stored.
    #[schema(value_type = Option<String>)]
    last_created: Value,
}

impl MarketDuplicateAnalysis {
    fn of(found: DuplicateAnalysis, form: TimeForm) -> Self {
        Self {
            total_records: found.total,
            unique_combinations: found.distinct,
            duplicate_records: found.total - found.distinct,
            duplicate_count: found.groups.len(),
            duplicate_groups: found
                .groups
                .into_iter()
                .map(|group| MarketDuplicateGroup {
                    date: group.day,
                    checkpoint: group.checkpoint,
                    count: group.ids.len(),
                    ids: group.ids.iter().map(i64::to_string).collect(),
                    first_created: group
                        .first_created
                        .map_or(Value::Null, |at| instant_as_stored(at, form)),
                    last_created: group
                        .last_created
                        .map_or(Value::Null, |at| instant_as_stored(at, form)),
                })
                .collect(),
        }
    }
}

/// Which predictions are stored twice.
#[utoipa::path(
    get, path = "/admin/analyze-ai-prediction-duplicates", tag = TAG,
    responses((status = 200, body = MarketDuplicates))
)]
async fn duplicates(State(app): State<App>) -> Result<Json<MarketDuplicates>, MarketHttpError> {
    let found = market(&app).duplicates().await?;
    let recommendation = if found.groups.is_empty() {
        "There are no duplicates: nothing to do"
    } else {
        "Remove them with POST /admin/fix-duplicate-ai-predictions"
    };
    let form = app.routing.market().daily_predictions.time_form();
    Ok(Json(MarketDuplicates {
        status: "success",
        message: None,
        deleted_records: None,
        analysis: MarketDuplicateAnalysis::of(found, form),
        recommendation: Some(recommendation),
    }))
}

/// Delete predictions that are stored twice: the one with the highest number stays.
#[utoipa::path(
    post, path = "/admin/fix-duplicate-ai-predictions", tag = TAG,
    responses((status = 200, body = MarketDuplicates))
)]
async fn remove_duplicates(State(app): State<App>) -> Result<Json<MarketDuplicates>, MarketHttpError> {
    let (found, deleted) = market(&app).remove_duplicates().await?;
    let form = app.routing.market().daily_predictions.time_form();
    let message = if deleted == 0 {
        "There are no duplicates, so nothing was changed".to_owned()
    } else {
        format!("{deleted} duplicates were removed")
    };
    Ok(Json(MarketDuplicates {
        status: "success",
        message: Some(message),
        deleted_records: (deleted > 0).then_some(deleted),
        analysis: MarketDuplicateAnalysis::of(found, form),
        recommendation: (deleted > 0).then_some("No duplicates are left"),
    }))
}

/// Whether known prices are replaced.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the refreshes read")]
struct MarketForceQuery {
    /// Whether known prices are replaced.
    #[param(required = false, default = false)]
    force: bool,
}

/// The official prices that were stored.
#[derive(Serialize, ToSchema)]
struct MarketOfficialUpdate {
    /// Always `success`.
    status: &'static str,
    /// The day.
    date: String,
    /// Whether known prices were replaced.
    force_overwrite: bool,
    /// What was set.
    prices_updated: Vec<MarketUpdatedPrice>,
    /// How many.
    total_updates: usize,
}

/// A price that was set.
#[derive(Serialize, ToSchema)]
struct MarketUpdatedPrice {
    /// When in the day.
    checkpoint: &'static str,
    /// The price.
    price: f64,
    /// What was there before.
    #[schema(value_type = StoredNumber)]
    previous_price: Value,
}

fn updated(update: &OfficialUpdate) -> Vec<MarketUpdatedPrice> {
    let before = update.before.as_ref().map(|row| &row.fields);
    update
        .set
        .iter()
        .map(|log| MarketUpdatedPrice {
            checkpoint: log.checkpoint.as_str(),
            price: log.price,
            previous_price: number(before.and_then(|fields| fields.stored_price(log.checkpoint))),
        })
        .collect()
}

/// Set a day's official prices from the price source.
#[utoipa::path(
    post, path = "/admin/refresh-official-prices/{target_date}", tag = TAG,
    params(("target_date" = String, Path, format = Date, description = "The day."), MarketForceQuery),
    responses(
        (status = 200, body = MarketOfficialUpdate),
        (status = 404, body = MarketFailure, description = "There are none."),
        (status = 501, body = MarketFailure, description = "No price source is configured.")
    )
)]
async fn refresh_official(
    State(app): State<App>,
    PathText(date): PathText,
    parameters: Parameters,
) -> Result<Json<MarketOfficialUpdate>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("target_date", &date, &mut mistakes);
    let force_overwrite = parameters.flag("force", false, &mut mistakes);
    let day = mistakes.finish(day)?;
    let update = market(&app).refresh_official(day, force_overwrite).await?;
    let prices_updated = updated(&update);
    Ok(Json(MarketOfficialUpdate {
        status: "success",
        date: day.to_string(),
        force_overwrite,
        total_updates: prices_updated.len(),
        prices_updated,
    }))
}

/// Which days.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `refresh_official_range` reads")]
struct MarketRangeQuery {
    /// The first day.
    #[param(format = Date)]
    start_date: String,
    /// The last day, at most 90 days on.
    #[param(format = Date)]
    end_date: String,
    /// Whether known prices are replaced.
    #[param(required = false, default = false)]
    force: bool,
}

/// What became of each day.
#[derive(Serialize, ToSchema)]
struct MarketOfficialRange {
    /// Always `completed`.
    status: &'static str,
    /// The first day.
    start_date: String,
    /// The last.
    end_date: String,
    /// How many days.
    total_dates: usize,
    /// How many had prices.
    successful_updates: usize,
    /// How many had none.
    failed_updates: usize,
    /// Whether known prices were replaced.
    force_overwrite: bool,
    /// Day by day: `date`, `status`, and `updates_count` or `error`.
    #[schema(value_type = Vec<Object>)]
    results: Vec<Value>,
}

/// Set the official prices of several days. What fails on one does not stop the others.
#[utoipa::path(
    post, path = "/admin/refresh-official-prices-range", tag = TAG, params(MarketRangeQuery),
    responses(
        (status = 200, body = MarketOfficialRange),
        (status = 400, body = MarketFailure, description = "The days are in the wrong order, or too many."),
        (status = 501, body = MarketFailure, description = "No price source is configured.")
    )
)]
async fn refresh_official_range(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<MarketOfficialRange>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let from = parameters.needed_day("start_date", &mut mistakes);
    let to = parameters.needed_day("end_date", &mut mistakes);
    let force_overwrite = parameters.flag("force", false, &mut mistakes);
    let (from, to) = mistakes.finish(from.zip(to))?;
    let updates = market(&app)
        .refresh_official_range(from, to, force_overwrite)
        .await?;
    let successful_updates = updates.iter().filter(|(_, update)| update.is_ok()).count();
    let results: Vec<Value> = updates
        .iter()
        .map(|(day, update)| match update {
            Ok(update) => {
                json!({ "date": day.to_string(), "status": "success", "updates_count": update.set.len() })
            }
            Err(error) => json!({ "date": day.to_string(), "status": "failed", "error": error.to_string() }),
        })
        .collect();
    Ok(Json(MarketOfficialRange {
        status: "completed",
        start_date: from.to_string(),
        end_date: to.to_string(),
        total_dates: results.len(),
        successful_updates,
        failed_updates: results.len() - successful_updates,
        force_overwrite,
        results,
    }))
}

/// The prices that were filled in.
#[derive(Serialize, ToSchema)]
struct MarketActuals {
    /// Always `success`.
    status: &'static str,
    /// Those that were set by this request; the others are null.
    filled: MarketPrices,
    /// Whether known prices were replaced.
    force: bool,
    /// The day.
    date: String,
}

/// Complete a day's prices from the price source, without logging them.
#[utoipa::path(
    post, path = "/admin/refresh-actuals-intraday/{target_date}", tag = TAG,
    params(("target_date" = String, Path, format = Date, description = "The day."), MarketForceQuery),
    responses(
        (status = 200, body = MarketActuals),
        (status = 501, body = MarketFailure, description = "No price source is configured.")
    )
)]
async fn refresh_actuals(
    State(app): State<App>,
    PathText(date): PathText,
    parameters: Parameters,
) -> Result<Json<MarketActuals>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("target_date", &date, &mut mistakes);
    let force = parameters.flag("force", false, &mut mistakes);
    let day = mistakes.finish(day)?;
    let DayPrices {
        open,
        noon,
        two_pm,
        close,
    } = market(&app).refresh_actuals(day, force).await?;
    Ok(Json(MarketActuals {
        status: "success",
        filled: MarketPrices {
            open: open.into(),
            noon: noon.into(),
            two_pm: two_pm.into(),
            close: close.into(),
        },
        force,
        date: day.to_string(),
    }))
}
