//! `/market/prediction`, `/market/day`, `/market/log`, `/market/capture`, `/market/history`, `/market/metrics`.

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::daily_prediction::{DailyPrediction, DayFields, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::stored::TextEnum as _;
use cutover_ports::market::TimeForm;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use super::market;
use super::read::{BodyValues as _, MarketBody, MarketBodyAfterPath, QueryValues as _, path_day};
use super::stored::{day, flag, number, real, time};
use crate::http::App;
use crate::http::json::Json;
use crate::http::request::{Fields, Length, Mistakes, Parameters, PathText};
use crate::http::schema::{CheckpointName, StoredFlag, StoredNumber, StoredText};

const TAG: &str = "Market: days";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(write))
        .routes(routes!(write_inputs))
        .routes(routes!(read))
        .routes(routes!(log))
        .routes(routes!(capture))
        .routes(routes!(recompute))
        .routes(routes!(history))
        .routes(routes!(metrics))
}

/// A day. What is not given becomes none.
#[derive(ToSchema, Default)]
#[schema(rename_all = "camelCase")]
struct MarketDayToWrite {
    /// The day.
    #[schema(value_type = String, format = Date)]
    date: Option<Day>,
    /// The price before the market opens.
    pre_market: Option<f64>,
    /// The lower end of the predicted band.
    #[schema(exclusive_minimum = 0)]
    pred_low: Option<f64>,
    /// Its upper end, not below the lower one.
    #[schema(exclusive_minimum = 0)]
    pred_high: Option<f64>,
    /// Where the day is thought to go.
    bias: Option<String>,
    /// How volatile it is thought to be.
    vol_ctx: Option<String>,
    /// What kind of day it is thought to be.
    day_type: Option<String>,
    /// Levels to watch.
    key_levels: Option<String>,
    /// Notes.
    notes: Option<String>,
    /// The price at the opening.
    #[schema(exclusive_minimum = 0)]
    open: Option<f64>,
    /// The price at noon.
    #[schema(exclusive_minimum = 0)]
    noon: Option<f64>,
    /// The price at two in the afternoon.
    #[schema(rename = "twoPM", exclusive_minimum = 0)]
    two_pm: Option<f64>,
    /// The price at the close.
    #[schema(exclusive_minimum = 0)]
    close: Option<f64>,
    /// The day's lowest price.
    realized_low: Option<f64>,
    /// The day's highest price.
    realized_high: Option<f64>,
    /// Whether the close lay in the band; derived when close and band are known.
    range_hit: Option<bool>,
    /// How far the close was from the middle of the band; derived too.
    abs_error_to_close: Option<f64>,
    /// Who made the prediction.
    source: Option<String>,
    /// Whether a model may no longer change it.
    locked: Option<bool>,
}

/// The inputs of a day. What else the day has becomes none.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `MarketDayToWrite::read_inputs` reads")]
struct MarketDayInputs {
    /// The price before the market opens.
    pre_market: Option<f64>,
    /// The lower end of the predicted band.
    #[schema(exclusive_minimum = 0)]
    pred_low: Option<f64>,
    /// Its upper end, not below the lower one.
    #[schema(exclusive_minimum = 0)]
    pred_high: Option<f64>,
    /// Where the day is thought to go.
    bias: Option<String>,
    /// How volatile it is thought to be.
    vol_ctx: Option<String>,
    /// What kind of day it is thought to be.
    day_type: Option<String>,
    /// Levels to watch.
    key_levels: Option<String>,
    /// Notes.
    notes: Option<String>,
}

impl MarketDayToWrite {
    fn read_inputs(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Self {
        let text = |name, mistakes: &mut Mistakes| fields.optional_text(name, Length::default(), mistakes);
        Self {
            pre_market: fields.optional_number("preMarket", mistakes),
            pred_low: fields.optional_number("predLow", mistakes),
            pred_high: fields.optional_number("predHigh", mistakes),
            bias: text("bias", mistakes),
            vol_ctx: text("volCtx", mistakes),
            day_type: text("dayType", mistakes),
            key_levels: text("keyLevels", mistakes),
            notes: text("notes", mistakes),
            ..Self::default()
        }
    }

    fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Self {
        let text = |name, mistakes: &mut Mistakes| fields.optional_text(name, Length::default(), mistakes);
        // Mistakes are told in the order of the fields.
        Self {
            date: fields.day("date", mistakes),
            pre_market: fields.optional_number("preMarket", mistakes),
            pred_low: fields.optional_number("predLow", mistakes),
            pred_high: fields.optional_number("predHigh", mistakes),
            source: text("source", mistakes),
            locked: fields.optional_flag("locked", mistakes),
            bias: text("bias", mistakes),
            vol_ctx: text("volCtx", mistakes),
            day_type: text("dayType", mistakes),
            key_levels: text("keyLevels", mistakes),
            notes: text("notes", mistakes),
            open: fields.optional_number("open", mistakes),
            noon: fields.optional_number("noon", mistakes),
            two_pm: fields.optional_number("twoPM", mistakes),
            close: fields.optional_number("close", mistakes),
            realized_low: fields.optional_number("realizedLow", mistakes),
            realized_high: fields.optional_number("realizedHigh", mistakes),
            range_hit: fields.optional_flag("rangeHit", mistakes),
            abs_error_to_close: fields.optional_number("absErrorToClose", mistakes),
        }
    }

    fn fields(self) -> DayFields {
        DayFields {
            pre_market: self.pre_market.map(Into::into),
            pred_low: self.pred_low.map(Into::into),
            pred_high: self.pred_high.map(Into::into),
            bias: self.bias,
            vol_ctx: self.vol_ctx,
            day_type: self.day_type,
            key_levels: self.key_levels,
            notes: self.notes,
            open: self.open.map(Into::into),
            noon: self.noon.map(Into::into),
            two_pm: self.two_pm.map(Into::into),
            close: self.close.map(Into::into),
            realized_low: self.realized_low.map(Into::into),
            realized_high: self.realized_high.map(Into::into),
            range_hit: self.range_hit.map(Into::into),
            abs_error_to_close: self.abs_error_to_close.map(Into::into),
            source: self.source,
            locked: self.locked.map(Into::into),
        }
    }
}

/// A day as it is stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarketDay {
    /// The day.
    #[schema(value_type = StoredText)]
    date: Value,
    /// The price before the market opens.
    #[schema(value_type = StoredNumber)]
    pre_market: Value,
    /// The lower end of the predicted band.
    #[schema(value_type = StoredNumber)]
    pred_low: Value,
    /// Its upper end.
    #[schema(value_type = StoredNumber)]
    pred_high: Value,
    /// Who made the prediction.
    source: Option<String>,
    /// Whether a model may no longer change it.
    #[schema(value_type = StoredFlag)]
    locked: Value,
    /// Where the day is thought to go.
    bias: Option<String>,
    /// How volatile it is thought to be.
    vol_ctx: Option<String>,
    /// What kind of day it is thought to be.
    day_type: Option<String>,
    /// Levels to watch.
    key_levels: Option<String>,
    /// Notes.
    notes: Option<String>,
    /// The price at the opening.
    #[schema(value_type = StoredNumber)]
    open: Value,
    /// The price at noon.
    #[schema(value_type = StoredNumber)]
    noon: Value,
    /// The price at two in the afternoon.
    #[serde(rename = "twoPM")]
    #[schema(value_type = StoredNumber)]
    two_pm: Value,
    /// The price at the close.
    #[schema(value_type = StoredNumber)]
    close: Value,
    /// The day's lowest price.
    #[schema(value_type = StoredNumber)]
    realized_low: Value,
    /// The day's highest price.
    #[schema(value_type = StoredNumber)]
    realized_high: Value,
    /// Whether the close lay in the band.
    #[schema(value_type = StoredFlag)]
    range_hit: Value,
    /// How far the close was from the middle of the band.
    #[schema(value_type = StoredNumber)]
    abs_error_to_close: Value,
    /// The row's number.
    id: i64,
    /// When it was made; without a zone (UTC) where the store keeps none.
    #[serde(rename = "created_at")]
    #[schema(value_type = StoredText)]
    created_at: Value,
    /// When it last changed.
    #[serde(rename = "updated_at")]
    #[schema(value_type = StoredText)]
    updated_at: Value,
}

impl MarketDay {
    fn of(row: DailyPrediction, form: TimeForm) -> Self {
        let fields = row.fields;
        Self {
            date: day(&row.day),
            pre_market: number(fields.pre_market.as_ref()),
            pred_low: number(fields.pred_low.as_ref()),
            pred_high: number(fields.pred_high.as_ref()),
            source: fields.source,
            locked: flag(fields.locked.as_ref()),
            bias: fields.bias,
            vol_ctx: fields.vol_ctx,
            day_type: fields.day_type,
            key_levels: fields.key_levels,
            notes: fields.notes,
            open: number(fields.open.as_ref()),
            noon: number(fields.noon.as_ref()),
            two_pm: number(fields.two_pm.as_ref()),
            close: number(fields.close.as_ref()),
            realized_low: number(fields.realized_low.as_ref()),
            realized_high: number(fields.realized_high.as_ref()),
            range_hit: flag(fields.range_hit.as_ref()),
            abs_error_to_close: number(fields.abs_error_to_close.as_ref()),
            id: row.id,
            created_at: time(row.created_at.as_ref(), form),
            updated_at: time(row.updated_at.as_ref(), form),
        }
    }
}

fn shown(app: &App, row: DailyPrediction) -> Json<MarketDay> {
    let form = app.routing.market().daily_predictions.time_form();
    Json(MarketDay::of(row, form))
}

/// Set a day, all of it.
#[utoipa::path(
    post, path = "/prediction", tag = TAG, request_body = MarketDayToWrite,
    responses((status = 200, body = MarketDay), (status = 400, body = MarketFailure))
)]
async fn write(
    State(app): State<App>,
    MarketBody(body): MarketBody,
) -> Result<Json<MarketDay>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let given =
        Fields::of_body(&body, &mut mistakes).map(|fields| MarketDayToWrite::read(&fields, &mut mistakes));
    let given = given.and_then(|given| Some((given.date?, given)));
    let (day, given) = mistakes.finish(given)?;
    let row = market(&app).replace(day, given.fields()).await?;
    Ok(shown(&app, row))
}

/// Set the inputs of a day.
///
/// Everything else that the day has becomes none: prices, source and lock included.
#[utoipa::path(
    post, path = "/prediction/{date}", tag = TAG, request_body = MarketDayInputs,
    params(("date" = String, Path, format = Date, description = "The day.")),
    responses((status = 200, body = MarketDay), (status = 400, body = MarketFailure))
)]
async fn write_inputs(
    State(app): State<App>,
    PathText(date): PathText,
    MarketBodyAfterPath(body): MarketBodyAfterPath,
) -> Result<Json<MarketDay>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("date", &date, &mut mistakes);
    let given = Fields::of_needed_body(&body, &mut mistakes)
        .map(|fields| MarketDayToWrite::read_inputs(&fields, &mut mistakes));
    let (day, given) = mistakes.finish(day.zip(given))?;
    let row = market(&app).replace(day, given.fields()).await?;
    Ok(shown(&app, row))
}

/// A day.
///
/// Today's prices are completed from the price source first, if one is configured.
#[utoipa::path(
    get, path = "/day/{day}", tag = TAG,
    params(("day" = String, Path, format = Date, description = "The day.")),
    responses((status = 200, body = MarketDay), (status = 404, body = MarketFailure))
)]
async fn read(State(app): State<App>, PathText(date): PathText) -> Result<Json<MarketDay>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("day", &date, &mut mistakes);
    let day = mistakes.finish(day)?;
    let market = market(&app);
    app.market.completed.complete(&market, day).await;
    let row = market.day(day).await?;
    Ok(shown(&app, row))
}

/// A price that was seen.
#[derive(ToSchema)]
struct MarketPriceToLog {
    /// The day.
    #[schema(value_type = String, format = Date)]
    date: Day,
    /// When in the day; the path decides.
    checkpoint: String,
    /// The price.
    #[schema(exclusive_minimum = 0)]
    price: f64,
}

/// That it is done.
#[derive(Serialize, ToSchema)]
struct MarketDone {
    /// Always `ok`.
    status: &'static str,
}

fn checkpoint(name: &str) -> Result<Checkpoint, MarketHttpError> {
    Checkpoint::from_text(name)
        .ok_or_else(|| MarketHttpError::plain(StatusCode::BAD_REQUEST, "Invalid checkpoint"))
}

/// Keep and log a price.
#[utoipa::path(
    post, path = "/log/{checkpoint}", tag = TAG, request_body = MarketPriceToLog,
    params(("checkpoint" = inline(CheckpointName), Path, description = "When in the day.")),
    responses((status = 200, body = MarketDone), (status = 400, body = MarketFailure))
)]
async fn log(
    State(app): State<App>,
    PathText(name): PathText,
    MarketBody(body): MarketBody,
) -> Result<Json<MarketDone>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let given = Fields::of_body(&body, &mut mistakes).and_then(|fields| {
        let date = fields.day("date", &mut mistakes);
        let checkpoint = fields.text("checkpoint", Length::default(), &mut mistakes);
        let price = fields.number("price", &mut mistakes);
        Some(MarketPriceToLog {
            date: date?,
            checkpoint: checkpoint?,
            price: price?,
        })
    });
    let given = mistakes.finish(given)?;
    tracing::debug!(path = name, body = given.checkpoint, "a price is told");
    let checkpoint = checkpoint(&name)?;
    let log = PriceLog {
        checkpoint,
        price: given.price,
    };
    market(&app).record(given.date, log).await?;
    Ok(Json(MarketDone { status: "ok" }))
}

/// A price of a day.
#[derive(ToSchema)]
struct MarketPriceToCapture {
    /// When in the day.
    #[schema(value_type = CheckpointName)]
    checkpoint: String,
    /// The price.
    #[schema(exclusive_minimum = 0)]
    price: f64,
}

/// Keep and log a price of a day.
#[utoipa::path(
    post, path = "/capture/{date}", tag = TAG, request_body = MarketPriceToCapture,
    params(("date" = String, Path, format = Date, description = "The day.")),
    responses((status = 200, body = MarketDone), (status = 400, body = MarketFailure))
)]
async fn capture(
    State(app): State<App>,
    PathText(date): PathText,
    MarketBodyAfterPath(body): MarketBodyAfterPath,
) -> Result<Json<MarketDone>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("date", &date, &mut mistakes);
    let given = Fields::of_needed_body(&body, &mut mistakes).and_then(|fields| {
        let checkpoint = fields.text("checkpoint", Length::default(), &mut mistakes);
        let price = fields.number("price", &mut mistakes);
        Some(MarketPriceToCapture {
            checkpoint: checkpoint?,
            price: price?,
        })
    });
    let (day, given) = mistakes.finish(day.zip(given))?;
    let log = PriceLog {
        checkpoint: checkpoint(&given.checkpoint)?,
        price: given.price,
    };
    market(&app).record(day, log).await?;
    Ok(Json(MarketDone { status: "ok" }))
}

/// Derive a day's outcome anew.
#[utoipa::path(
    post, path = "/recompute/{date}", tag = TAG,
    params(("date" = String, Path, format = Date, description = "The day.")),
    responses((status = 200, body = MarketDay), (status = 404, body = MarketFailure))
)]
async fn recompute(
    State(app): State<App>,
    PathText(date): PathText,
) -> Result<Json<MarketDay>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("date", &date, &mut mistakes);
    let day = mistakes.finish(day)?;
    let row = market(&app).recompute(day).await?;
    Ok(shown(&app, row))
}

/// Which part of the history. Below 0 a limit is none, and an offset 0.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `history` reads")]
struct MarketHistoryQuery {
    /// How many days at most.
    #[param(required = false, default = 20)]
    limit: i64,
    /// How many come before them.
    #[param(required = false, default = 0)]
    offset: i64,
}

/// Days, the latest first.
#[derive(Serialize, ToSchema)]
struct MarketHistory {
    /// The days.
    items: Vec<MarketHistoryItem>,
    /// How many of them are here; not how many there are.
    total: usize,
    /// The limit that was asked for.
    limit: i64,
    /// The offset that was asked for.
    offset: i64,
}

/// What a history shows of a day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MarketHistoryItem {
    /// The row's number.
    id: i64,
    /// The day.
    #[schema(value_type = StoredText)]
    date: Value,
    /// The lower end of the predicted band.
    #[schema(value_type = StoredNumber)]
    pred_low: Value,
    /// Its upper end.
    #[schema(value_type = StoredNumber)]
    pred_high: Value,
    /// Where the day was thought to go.
    bias: Option<String>,
    /// The lowest known price, once the close is known.
    #[schema(value_type = StoredNumber)]
    actual_low: Value,
    /// The highest.
    #[schema(value_type = StoredNumber)]
    actual_high: Value,
    /// Whether the close lay in the band.
    #[schema(value_type = StoredFlag)]
    range_hit: Value,
    /// Notes.
    notes: Option<String>,
    /// What kind of day it was thought to be.
    day_type: Option<String>,
    /// How far the close was from the middle of the band.
    #[schema(value_type = StoredNumber)]
    error: Value,
    /// The price at the opening.
    #[schema(value_type = StoredNumber)]
    open: Value,
    /// The price at the close.
    #[schema(value_type = StoredNumber)]
    close: Value,
    /// Who made the prediction.
    source: Option<String>,
}

impl From<DailyPrediction> for MarketHistoryItem {
    fn from(row: DailyPrediction) -> Self {
        let fields = row.fields;
        let close = fields.price(Checkpoint::Close);
        let prices: Vec<f64> = Checkpoint::PREDICTED
            .iter()
            .filter_map(|checkpoint| fields.price(*checkpoint))
            .filter(|_| close.is_some())
            .collect();
        let extreme = |of: fn(f64, f64) -> f64| prices.iter().copied().reduce(of).map_or(Value::Null, real);
        // Zero counts as unknown, as it does in the original.
        let truthy = |value: Option<f64>| value.filter(|value| *value != 0.0);
        let known = truthy(close).zip(truthy(fields.low())).zip(truthy(fields.high()));
        let error = known.map(|((close, low), high)| f64::abs(close - f64::midpoint(low, high)));
        Self {
            id: row.id,
            date: day(&row.day),
            pred_low: number(fields.pred_low.as_ref()),
            pred_high: number(fields.pred_high.as_ref()),
            actual_low: extreme(f64::min),
            actual_high: extreme(f64::max),
            range_hit: flag(fields.range_hit.as_ref()),
            error: truthy(error).map_or_else(|| number(fields.abs_error_to_close.as_ref()), real),
            open: number(fields.open.as_ref()),
            close: number(fields.close.as_ref()),
            bias: fields.bias,
            notes: fields.notes,
            day_type: fields.day_type,
            source: fields.source,
        }
    }
}

/// The days, the latest first.
#[utoipa::path(
    get, path = "/history", tag = TAG, params(MarketHistoryQuery),
    responses((status = 200, body = MarketHistory))
)]
async fn history(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<MarketHistory>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let limit = parameters.whole("limit", 20, &mut mistakes);
    let offset = parameters.whole("offset", 0, &mut mistakes);
    mistakes.finish(Some(()))?;
    let rows = market(&app)
        .history(
            u32::try_from(limit).unwrap_or(u32::MAX),
            u64::try_from(offset).unwrap_or(0),
        )
        .await?;
    let items: Vec<MarketHistoryItem> = rows.into_iter().map(Into::into).collect();
    Ok(Json(MarketHistory {
        total: items.len(),
        items,
        limit,
        offset,
    }))
}

/// The figures of the last twenty days.
#[derive(Serialize, ToSchema)]
struct MarketMetrics {
    /// How many days.
    count_days: usize,
    /// The share of days whose close lay in the band.
    #[serde(rename = "rangeHit20")]
    range_hit: Option<f64>,
    /// The median distance of the close from the middle of the band.
    #[serde(rename = "medianAbsErr20")]
    #[schema(value_type = Option<f64>)]
    median_error: Value,
    /// What to do about the band.
    calibration_tip: &'static str,
    /// Where it is going; none with fewer than ten days.
    trend: Option<&'static str>,
    /// A to F, or N/A.
    accuracy_grade: &'static str,
    /// Whether there are fewer than ten days; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_data: Option<bool>,
}

/// The figures of the last twenty days.
#[utoipa::path(get, path = "/metrics", tag = TAG, responses((status = 200, body = MarketMetrics)))]
async fn metrics(State(app): State<App>) -> Result<Json<MarketMetrics>, MarketHttpError> {
    let metrics = market(&app).metrics().await?;
    Ok(Json(MarketMetrics {
        count_days: metrics.days,
        range_hit: metrics.hit_rate,
        median_error: metrics.median_error.map_or(json!(null), real),
        calibration_tip: metrics.tip,
        trend: metrics.trend,
        accuracy_grade: metrics.grade,
        sample_data: (metrics.days > 0).then_some(metrics.days < 10),
    }))
}
