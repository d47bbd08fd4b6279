//! `/market/ai`, `/market/accuracy`.

use axum::extract::State;
use cutover_domain::market::accuracy::ErrorFigures;
use cutover_domain::market::ai_prediction::{AiPrediction, ScoredFilter};
use cutover_domain::market::daily_prediction::DailyPrediction;
use cutover_domain::stored::Stored;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use super::market;
use super::read::{QueryValues as _, path_day};
use super::stored::{day, flag, number, real, text_enum};
use crate::http::App;
use crate::http::json::Json;
use crate::http::request::{Mistakes, Parameters, PathText};
use crate::http::schema::{StoredFlag, StoredNumber, StoredText};
use crate::usecase::market::accuracy::Detailed;

const TAG: &str = "Market: predictions";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(predictions))
        .routes(routes!(predict))
        .routes(routes!(accuracy))
        .routes(routes!(accuracy_metrics))
}

/// What models predicted for a day.
#[derive(Serialize, ToSchema)]
struct MarketPredictions {
    /// The day.
    date: String,
    /// What the market was like.
    market_context: String,
    /// The price before the market opened.
    #[schema(value_type = StoredNumber)]
    pre_market_price: Value,
    /// One for each moment, in the order of the day.
    predictions: Vec<MarketPrediction>,
    /// How good they were, once some prices are known and not all were exact.
    accuracy_summary: Option<MarketAccuracySummary>,
    /// None of stored predictions.
    #[schema(value_type = Option<String>)]
    sentiment: Value,
}

/// A model's prediction of a price, and the day's price.
#[derive(Serialize, ToSchema)]
struct MarketPrediction {
    /// When in the day.
    #[schema(value_type = StoredText)]
    checkpoint: Value,
    /// The price.
    #[schema(value_type = StoredNumber)]
    predicted_price: Value,
    /// How sure the model was, 0 to 1.
    #[schema(value_type = StoredNumber)]
    confidence: Value,
    /// Why.
    reasoning: String,
    /// What the price became.
    #[schema(value_type = StoredNumber)]
    actual_price: Value,
    /// How far the prediction was from it; null if that is beyond all numbers.
    prediction_error: Option<f64>,
}

/// How good a day's predictions were.
#[derive(Serialize, ToSchema)]
struct MarketAccuracySummary {
    /// The mean distance; null if it is beyond all numbers.
    #[schema(value_type = Option<f64>)]
    mean_absolute_error: f64,
    /// The share within a dollar.
    accuracy_rate: f64,
    /// How many have a price.
    predictions_with_actuals: usize,
    /// How many there are.
    total_predictions: usize,
}

impl MarketAccuracySummary {
    fn of(predictions: &[MarketPrediction]) -> Option<Self> {
        let errors: Vec<f64> = predictions
            .iter()
            .filter_map(|one| one.prediction_error)
            .collect();
        let sum: f64 = errors.iter().sum();
        let count = errors.len() as f64;
        (sum > 0.0).then(|| Self {
            mean_absolute_error: sum / count,
            accuracy_rate: errors.iter().filter(|error| **error <= 1.0).count() as f64 / count,
            predictions_with_actuals: errors.len(),
            total_predictions: predictions.len(),
        })
    }
}

impl MarketPrediction {
    fn of(row: &AiPrediction, actual: Option<&Stored<f64>>) -> Self {
        let fields = &row.fields;
        let known = actual.and_then(Stored::known);
        Self {
            checkpoint: text_enum(&fields.checkpoint),
            predicted_price: number(Some(&fields.predicted_price)),
            confidence: number(Some(&fields.confidence)),
            reasoning: fields.reasoning.clone().unwrap_or_default(),
            actual_price: number(actual),
            prediction_error: known.and_then(|actual| fields.error_against(*actual)),
        }
    }
}

fn context(predictions: &[AiPrediction]) -> String {
    let first = predictions
        .first()
        .and_then(|row| row.fields.market_context.clone());
    first.unwrap_or_default()
}

/// What models predicted for a day, and what became of it.
#[utoipa::path(
    get, path = "/ai/predictions/{target_date}", tag = TAG,
    params(("target_date" = String, Path, format = Date, description = "The day.")),
    responses(
        (status = 200, body = MarketPredictions),
        (status = 501, body = MarketFailure, description = "None are stored, and there is no model here to make some.")
    )
)]
async fn predictions(
    State(app): State<App>,
    PathText(date): PathText,
) -> Result<Json<MarketPredictions>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("target_date", &date, &mut mistakes);
    let day = mistakes.finish(day)?;
    let market = market(&app);
    app.market.completed.complete(&market, day).await;
    let found = market.predictions(day).await?;
    let pre_market = found.row.as_ref().and_then(|row| row.fields.pre_market.as_ref());
    let predictions: Vec<MarketPrediction> = found
        .with_actuals()
        .map(|(row, actual)| MarketPrediction::of(row, actual))
        .collect();
    Ok(Json(MarketPredictions {
        date: day.to_string(),
        market_context: context(&found.predictions),
        pre_market_price: number(pre_market),
        accuracy_summary: MarketAccuracySummary::of(&predictions),
        predictions,
        sentiment: Value::Null,
    }))
}

/// How far back a model looks.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `predict` reads")]
struct MarketPredictQuery {
    /// Days.
    #[param(required = false, rename = "lookbackDays", default = 5)]
    lookback_days: i64,
}

/// The band that was made of a day's predictions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MarketBand {
    /// The day.
    #[schema(value_type = StoredText)]
    date: Value,
    /// The lower end.
    #[schema(value_type = StoredNumber)]
    pred_low: Value,
    /// The upper end.
    #[schema(value_type = StoredNumber)]
    pred_high: Value,
    /// Always `ai`.
    source: Option<String>,
    /// Always true.
    #[schema(value_type = StoredFlag)]
    locked: Value,
    /// What the market was like.
    analysis: String,
    /// As it was asked for.
    lookback_days: i64,
}

/// Make a day's band of its stored predictions, and lock it.
#[utoipa::path(
    post, path = "/ai/predict/{target_date}", tag = TAG,
    params(("target_date" = String, Path, format = Date, description = "The day."), MarketPredictQuery),
    responses(
        (status = 200, body = MarketBand),
        (status = 409, body = MarketFailure, description = "The day is locked."),
        (status = 501, body = MarketFailure, description = "None are stored, and there is no model here to make some.")
    )
)]
async fn predict(
    State(app): State<App>,
    PathText(date): PathText,
    parameters: Parameters,
) -> Result<Json<MarketBand>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let target = path_day("target_date", &date, &mut mistakes);
    let lookback_days = parameters.whole("lookbackDays", 5, &mut mistakes);
    let target = mistakes.finish(target)?;
    let (
        DailyPrediction {
            day: date, fields, ..
        },
        predictions,
    ) = market(&app).lock_band(target).await?;
    Ok(Json(MarketBand {
        date: day(&date),
        pred_low: number(fields.pred_low.as_ref()),
        pred_high: number(fields.pred_high.as_ref()),
        source: fields.source,
        locked: flag(fields.locked.as_ref()),
        analysis: context(&predictions),
        lookback_days,
    }))
}

/// How good predictions were, all in all.
#[derive(Serialize, ToSchema)]
struct MarketAccuracy {
    /// What there is to say if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    /// How many were scored.
    total_predictions: usize,
    /// The mean distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    overall_mae: Option<f64>,
    /// By moment: `mean_absolute_error`, `accuracy_rate_1dollar`, `total_predictions`, `avg_confidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    checkpoint_performance: Option<Value>,
    /// By confidence (high, medium, low): `mean_absolute_error`, `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    confidence_calibration: Option<Value>,
}

/// An object with a member for each of some figures.
fn members<N: Into<String>>(
    figures: impl IntoIterator<Item = (N, ErrorFigures)>,
    show: impl Fn(&ErrorFigures) -> Value,
) -> Value {
    let members = figures
        .into_iter()
        .map(|(name, figures)| (name.into(), show(&figures)));
    Value::Object(members.collect::<Map<_, _>>())
}

const NONE_SCORED: &str = "No prediction of a model has an actual price yet";
const NONE_FITS: &str = "No prediction with an actual price fits what was asked for";

/// How good predictions were, all in all.
#[utoipa::path(get, path = "/ai/accuracy", tag = TAG, responses((status = 200, body = MarketAccuracy)))]
async fn accuracy(State(app): State<App>) -> Result<Json<MarketAccuracy>, MarketHttpError> {
    let overview = market(&app).accuracy().await?;
    let Some(all) = overview.all else {
        return Ok(Json(MarketAccuracy {
            message: Some(NONE_SCORED),
            total_predictions: 0,
            overall_mae: None,
            checkpoint_performance: None,
            confidence_calibration: None,
        }));
    };
    let by_checkpoint = members(overview.by_checkpoint, |figures| {
        json!({
            "mean_absolute_error": figures.mae,
            "accuracy_rate_1dollar": figures.within_1,
            "total_predictions": figures.count,
            "avg_confidence": figures.confidence,
        })
    });
    let by_confidence = members(
        overview.by_confidence,
        |figures| json!({ "mean_absolute_error": figures.mae, "count": figures.count }),
    );
    Ok(Json(MarketAccuracy {
        message: None,
        total_predictions: all.count,
        overall_mae: Some(all.mae),
        checkpoint_performance: Some(by_checkpoint),
        confidence_calibration: Some(by_confidence),
    }))
}

/// Which predictions are meant.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `accuracy_metrics` reads")]
struct MarketAccuracyQuery {
    /// From this day on.
    #[param(format = Date)]
    start_date: Option<String>,
    /// Up to this day.
    #[param(format = Date)]
    end_date: Option<String>,
    /// Of this source.
    model_name: Option<String>,
    /// Of this moment.
    checkpoint: Option<String>,
}

/// How good the predictions that are meant were.
#[derive(Serialize, ToSchema)]
struct MarketAccuracyMetrics {
    /// Always `success`.
    status: &'static str,
    /// The figures; a message where nothing was scored.
    #[schema(value_type = Object)]
    metrics: Value,
    /// What was asked for.
    #[schema(value_type = Object)]
    filters: Value,
}

/// How good the predictions that are meant were.
#[utoipa::path(
    get, path = "/accuracy/metrics", tag = TAG, params(MarketAccuracyQuery),
    responses((status = 200, body = MarketAccuracyMetrics))
)]
async fn accuracy_metrics(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<MarketAccuracyMetrics>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let filter = ScoredFilter {
        from: parameters.optional_day("start_date", &mut mistakes),
        to: parameters.optional_day("end_date", &mut mistakes),
        source: parameters.wanted("model_name").filter(|name| !name.is_empty()),
        checkpoint: parameters.wanted("checkpoint").filter(|name| !name.is_empty()),
    };
    mistakes.finish(Some(()))?;
    let found = market(&app).accuracy_of(&filter).await?;
    Ok(Json(MarketAccuracyMetrics {
        status: "success",
        metrics: found.map_or_else(
            || json!({ "message": NONE_FITS, "total_predictions": 0 }),
            |found| metrics(&found),
        ),
        filters: json!({
            "start_date": filter.from.map(|day| day.to_string()),
            "end_date": filter.to.map(|day| day.to_string()),
            "model_name": parameters.text("model_name"),
            "checkpoint": parameters.text("checkpoint"),
        }),
    }))
}

fn metrics(found: &Detailed) -> Value {
    let all = &found.all;
    let recent = match &found.recent {
        Some(recent) => json!({ "days": 5, "mae": real(recent.mae), "hit_rate_1dollar": recent.within_1 }),
        None => json!({ "days": 0, "mae": null, "hit_rate_1dollar": null }),
    };
    json!({
        "total_predictions": all.count,
        "date_range": {
            "start": found.from.map(|day| day.to_string()),
            "end": found.to.map(|day| day.to_string()),
            "days": found.days,
        },
        "overall_metrics": {
            "mae": real(all.mae),
            "rmse": real(all.rmse),
            "hit_rate_1dollar": all.within_1,
            "hit_rate_2dollar": all.within_2,
            "interval_coverage": all.interval_coverage,
        },
        "checkpoint_metrics": members(found.by_checkpoint.clone(), |figures| json!({
            "mae": real(figures.mae),
            "hit_rate_1dollar": figures.within_1,
            "count": figures.count,
            "interval_coverage": figures.interval_coverage,
        })),
        "source_metrics": members(found.by_source.clone(), |figures| json!({
            "mae": real(figures.mae),
            "hit_rate_1dollar": figures.within_1,
            "count": figures.count,
        })),
        "recent_metrics": recent,
    })
}
