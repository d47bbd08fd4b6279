//! `/market/suggestions`, `/market/pl`. A number that is computed of huge prices may be beyond all that there are, and is null then.

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::market::suggestion::{Strategy, Strikes, Suggestion};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use super::market;
use super::read::{QueryValues as _, path_day};
use crate::http::App;
use crate::http::json::Json;
use crate::http::request::{Mistakes, Parameters, PathText};
use crate::http::schema::one_of;
use crate::usecase::market::days::Suggested;

const TAG: &str = "Market: suggestions";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(suggestions))
        .routes(routes!(profits))
        .routes(routes!(current))
}

/// The trades that fit a day.
#[derive(Serialize, ToSchema)]
struct MarketSuggestions {
    /// The day.
    date: String,
    /// The trades: of a day, a week, a month.
    suggestions: Vec<MarketSuggestion>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

/// A trade of four options.
#[derive(Serialize, ToSchema)]
struct MarketSuggestion {
    /// How long it lasts.
    tenor: &'static str,
    /// Iron Condor or Iron Butterfly.
    strategy: &'static str,
    /// The delta of the options sold.
    short_delta: Option<f64>,
    /// The delta of those bought.
    long_delta: Option<f64>,
    /// The least credit worth taking.
    min_credit: Option<f64>,
    /// How far the price is expected to move.
    #[schema(value_type = Option<f64>)]
    expected_move: f64,
    /// How far the long strikes are from the short ones.
    #[schema(value_type = Option<f64>)]
    wings: f64,
    /// The short strike of a butterfly.
    center_strike: Option<f64>,
    /// The put that is sold.
    #[schema(value_type = Option<f64>)]
    put_short_strike: f64,
    /// The put that is bought.
    #[schema(value_type = Option<f64>)]
    put_long_strike: f64,
    /// The call that is sold.
    #[schema(value_type = Option<f64>)]
    call_short_strike: f64,
    /// The call that is bought.
    #[schema(value_type = Option<f64>)]
    call_long_strike: f64,
    /// The most that can be earned.
    #[schema(value_type = Option<f64>)]
    max_profit: f64,
    /// The most that can be lost.
    #[schema(value_type = Option<f64>)]
    max_loss: f64,
    /// The price below which it loses.
    #[schema(value_type = Option<f64>)]
    breakeven_lower: f64,
    /// The price above which it loses.
    #[schema(value_type = Option<f64>)]
    breakeven_upper: f64,
    /// The profit to take.
    #[schema(value_type = Option<f64>)]
    profit_target: f64,
    /// The loss to take.
    #[schema(value_type = Option<f64>)]
    stop_loss: f64,
    /// Why it was chosen.
    rationale: String,
    /// What to mind when opening it.
    note: String,
    /// What to mind afterwards.
    management_notes: &'static str,
}

impl From<Suggestion> for MarketSuggestion {
    fn from(trade: Suggestion) -> Self {
        Self {
            tenor: trade.tenor,
            strategy: trade.strategy.name(),
            short_delta: trade.short_delta,
            long_delta: trade.long_delta,
            min_credit: trade.min_credit,
            expected_move: trade.expected_move,
            wings: trade.wings,
            center_strike: trade.center,
            put_short_strike: trade.strikes.put_short,
            put_long_strike: trade.strikes.put_long,
            call_short_strike: trade.strikes.call_short,
            call_long_strike: trade.strikes.call_long,
            max_profit: trade.credit,
            max_loss: trade.max_loss,
            breakeven_lower: trade.breakeven_lower,
            breakeven_upper: trade.breakeven_upper,
            profit_target: trade.profit_target,
            stop_loss: trade.stop_loss,
            rationale: trade.rationale,
            note: trade.note,
            management_notes: trade.management_notes,
        }
    }
}

/// What is said instead of trades at a price below zero.
fn message(suggested: &Suggested) -> Option<&'static str> {
    (suggested.price < 0.0).then_some("No trade can be suggested at a price that is not above zero")
}

async fn suggested(app: &App, date: &str) -> Result<(String, Suggested), MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let day = path_day("day", date, &mut mistakes);
    let day = mistakes.finish(day)?;
    Ok((day.to_string(), market(app).suggestions(day).await?))
}

/// The trades that fit a day.
#[utoipa::path(
    get, path = "/suggestions/{day}", tag = TAG,
    params(("day" = String, Path, format = Date, description = "The day.")),
    responses(
        (status = 200, body = MarketSuggestions),
        (status = 400, body = MarketFailure, description = "The day has neither a price nor a band."),
        (status = 404, body = MarketFailure)
    )
)]
async fn suggestions(
    State(app): State<App>,
    PathText(date): PathText,
) -> Result<Json<MarketSuggestions>, MarketHttpError> {
    let (date, suggested) = suggested(&app, &date).await?;
    Ok(Json(MarketSuggestions {
        date,
        message: message(&suggested),
        suggestions: suggested.suggestions.into_iter().map(Into::into).collect(),
    }))
}

/// What the trades of a day would earn.
#[derive(Serialize, ToSchema)]
struct MarketProfits {
    /// The day.
    date: String,
    /// The trades: of a day, a week, a month; none at a price below zero.
    pl_data: Vec<MarketProfitCurve>,
}

/// What a trade would earn, by the price of the underlying.
#[derive(Serialize, ToSchema)]
struct MarketProfitCurve {
    /// How long it lasts.
    tenor: &'static str,
    /// Iron Condor or Iron Butterfly.
    strategy: &'static str,
    /// Fifty prices and what it earns there.
    points: Vec<MarketProfitPoint>,
    /// The price below which it loses.
    #[schema(value_type = Option<f64>)]
    breakeven_lower: f64,
    /// The price above which it loses.
    #[schema(value_type = Option<f64>)]
    breakeven_upper: f64,
    /// The most that can be earned.
    #[schema(value_type = Option<f64>)]
    max_profit: f64,
    /// The most that can be lost, below zero.
    #[schema(value_type = Option<f64>)]
    max_loss: f64,
    /// The price now.
    #[schema(value_type = Option<f64>)]
    current_price: f64,
    /// The price from which on it earns most.
    #[schema(value_type = Option<f64>)]
    profit_zone_start: f64,
    /// The price up to which it does.
    #[schema(value_type = Option<f64>)]
    profit_zone_end: f64,
    /// What it earns at the price now.
    #[schema(value_type = Option<f64>)]
    current_pl: f64,
    /// Its strikes: four of a condor, three of a butterfly.
    strikes: MarketStrikes,
}

/// What a trade earns at a price.
#[derive(Serialize, ToSchema)]
struct MarketProfitPoint {
    /// The price.
    #[schema(value_type = Option<f64>)]
    underlying_price: f64,
    /// All of it.
    #[schema(value_type = Option<f64>)]
    total_pl: f64,
    /// The puts.
    #[schema(value_type = Option<f64>)]
    put_spread_pl: f64,
    /// The calls.
    #[schema(value_type = Option<f64>)]
    call_spread_pl: f64,
}

/// The strikes of a trade.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum MarketStrikes {
    /// Of a condor.
    Condor {
        /// The put that is bought.
        #[schema(value_type = Option<f64>)]
        put_long_strike: f64,
        /// The put that is sold.
        #[schema(value_type = Option<f64>)]
        put_short_strike: f64,
        /// The call that is sold.
        #[schema(value_type = Option<f64>)]
        call_short_strike: f64,
        /// The call that is bought.
        #[schema(value_type = Option<f64>)]
        call_long_strike: f64,
    },
    /// Of a butterfly.
    Butterfly {
        /// The put that is bought.
        #[schema(value_type = Option<f64>)]
        put_long_strike: f64,
        /// What is sold.
        #[schema(value_type = Option<f64>)]
        center_strike: f64,
        /// The call that is bought.
        #[schema(value_type = Option<f64>)]
        call_long_strike: f64,
    },
}

impl MarketProfitCurve {
    fn of(trade: &Suggestion, price: f64) -> Self {
        let strikes = trade.strikes;
        let points = strikes
            .curve(trade.credit)
            .into_iter()
            .map(|point| MarketProfitPoint {
                underlying_price: point.underlying,
                total_pl: point.total,
                put_spread_pl: point.puts,
                call_spread_pl: point.calls,
            });
        Self {
            tenor: trade.tenor,
            strategy: trade.strategy.name(),
            points: points.collect(),
            breakeven_lower: trade.breakeven_lower,
            breakeven_upper: trade.breakeven_upper,
            max_profit: trade.credit,
            max_loss: strikes.max_loss(trade.credit),
            current_price: price,
            profit_zone_start: strikes.put_short,
            profit_zone_end: strikes.call_short,
            current_pl: strikes.profit(price, trade.credit).total,
            strikes: match trade.strategy {
                Strategy::IronCondor => MarketStrikes::Condor {
                    put_long_strike: strikes.put_long,
                    put_short_strike: strikes.put_short,
                    call_short_strike: strikes.call_short,
                    call_long_strike: strikes.call_long,
                },
                Strategy::IronButterfly => MarketStrikes::Butterfly {
                    put_long_strike: strikes.put_long,
                    center_strike: strikes.put_short,
                    call_long_strike: strikes.call_long,
                },
            },
        }
    }
}

/// What the trades that fit a day would earn.
#[utoipa::path(
    get, path = "/suggestions/{day}/pl-data", tag = TAG,
    params(("day" = String, Path, format = Date, description = "The day.")),
    responses(
        (status = 200, body = MarketProfits),
        (status = 400, body = MarketFailure, description = "The day has neither a price nor a band."),
        (status = 404, body = MarketFailure)
    )
)]
async fn profits(
    State(app): State<App>,
    PathText(date): PathText,
) -> Result<Json<MarketProfits>, MarketHttpError> {
    let (date, suggested) = suggested(&app, &date).await?;
    let curve = |trade: &Suggestion| MarketProfitCurve::of(trade, suggested.price);
    Ok(Json(MarketProfits {
        date,
        pl_data: suggested.suggestions.iter().map(curve).collect(),
    }))
}

/// A strategy, as clients see it.
struct StrategyName;

impl utoipa::PartialSchema for StrategyName {
    fn schema() -> RefOr<Schema> {
        one_of([Strategy::IronCondor.name(), Strategy::IronButterfly.name()])
    }
}

impl ToSchema for StrategyName {}

/// A trade and a price.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `current` reads")]
struct MarketCurrentQuery {
    /// The price now.
    current_price: f64,
    /// Iron Condor or Iron Butterfly, in whatever case.
    #[param(inline, value_type = StrategyName)]
    strategy_type: String,
    /// The put that is bought.
    put_long: Option<f64>,
    /// The put that is sold; of a condor.
    put_short: Option<f64>,
    /// The call that is sold; of a condor.
    call_short: Option<f64>,
    /// The call that is bought.
    call_long: Option<f64>,
    /// What is sold; of a butterfly.
    center_strike: Option<f64>,
    /// What was received.
    #[param(required = false, default = 1.0)]
    credit_received: f64,
}

/// What a trade earns now.
#[derive(Serialize, ToSchema)]
struct MarketCurrentProfit {
    /// The trade, as it was asked for.
    suggestion_id: String,
    /// The price now.
    current_price: f64,
    /// What it earns.
    #[schema(value_type = Option<f64>)]
    current_pl: f64,
    /// The strategy, as it was asked for.
    strategy_type: String,
    /// When that was.
    timestamp: String,
}

/// What a trade earns now. Reads nothing that is stored.
#[utoipa::path(
    get, path = "/pl/current/{suggestion_id}", tag = TAG,
    params(("suggestion_id" = String, Path, description = "Any name for the trade."), MarketCurrentQuery),
    responses(
        (status = 200, body = MarketCurrentProfit),
        (status = 400, body = MarketFailure, description = "The strategy is unknown, or one of its strikes is missing.")
    )
)]
async fn current(
    State(app): State<App>,
    PathText(suggestion_id): PathText,
    parameters: Parameters,
) -> Result<Json<MarketCurrentProfit>, MarketHttpError> {
    let mut mistakes = Mistakes::default();
    let price = parameters.needed_number("current_price", &mut mistakes);
    let strategy = parameters.needed_text("strategy_type", &mut mistakes);
    let [put_long, put_short, call_short, call_long, center] = [
        "put_long",
        "put_short",
        "call_short",
        "call_long",
        "center_strike",
    ]
    .map(|name| parameters.optional_number(name, &mut mistakes));
    let credit = parameters.optional_number("credit_received", &mut mistakes);
    let (price, strategy) = mistakes.finish(price.zip(strategy))?;
    let bad = |message: String| MarketHttpError::plain(StatusCode::BAD_REQUEST, message);
    let (put_short, call_short) = match strategy.to_lowercase().replace(['_', '-'], " ").as_str() {
        "iron condor" => (put_short, call_short),
        "iron butterfly" => (center, center),
        _ => return Err(bad(format!("Unknown strategy type: {strategy}"))),
    };
    let (Some(put_long), Some(put_short), Some(call_short), Some(call_long)) =
        (put_long, put_short, call_short, call_long)
    else {
        return Err(bad(format!("Missing strikes for {strategy}")));
    };
    let strikes = Strikes {
        put_long,
        put_short,
        call_short,
        call_long,
    };
    Ok(Json(MarketCurrentProfit {
        suggestion_id,
        current_price: price,
        current_pl: strikes.profit(price, credit.unwrap_or(1.0)).total,
        strategy_type: strategy,
        timestamp: app.clock.now().to_iso(),
    }))
}
