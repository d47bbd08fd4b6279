//! What models predicted.

use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::{AiFields, AiPrediction, DuplicateAnalysis, one_per_checkpoint};
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayPrices};
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::{Basis, Forecast};
use cutover_domain::stored;
use cutover_ports::StoreError;
use cutover_ports::market::DayOutcome;

use super::{Market, MarketError};

/// How many days back the bars of a forecast may lie: enough for fourteen trading days.
const BARS_BACK_DAYS: i64 = 40;

/// A day's predictions and what they are about.
#[derive(Debug, Clone)]
pub struct DayPredictions {
    /// One for each moment, in the order of the day.
    pub predictions: Vec<AiPrediction>,
    /// The day's row, if it has one. What the prices became is what it says now: a prediction keeps the first price that it was told.
    pub row: Option<DailyPrediction>,
}

impl DayPredictions {
    /// Each prediction and the price that it is of, as the day's row has it.
    pub fn with_actuals(&self) -> impl Iterator<Item = (&AiPrediction, Option<&stored::Stored<f64>>)> {
        self.predictions.iter().map(|prediction| {
            let checkpoint = prediction.fields.checkpoint.known();
            let row = self.row.as_ref();
            let actual = row
                .zip(checkpoint)
                .and_then(|(row, of)| row.fields.stored_price(*of));
            (prediction, actual)
        })
    }
}

/// What storing a forecast came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// So many new predictions.
    New(u64),
    /// They were there.
    Known,
    /// Somebody else stored them at the same moment.
    LostRace,
}

impl Market {
    async fn unique_of(&self, day: Day) -> Result<Vec<AiPrediction>, StoreError> {
        let rows = self.repositories.ai_predictions.for_day(day).await?;
        Ok(one_per_checkpoint(&rows).into_iter().cloned().collect())
    }

    /// A day's predictions. What the day's row knows of the real prices is told to those that do not know it.
    pub async fn predictions(&self, day: Day) -> Result<DayPredictions, MarketError> {
        let predictions = self.unique_of(day).await?;
        if predictions.is_empty() {
            return Err(MarketError::NoModel(format!(
                "No predictions are stored for {day}, and this service has no model to make them"
            )));
        }
        let row = self.repositories.daily_predictions.get(day).await?;
        if let Some(row) = &row {
            // Who reads them has the prices from the day's row, so that they cannot be told is nobody's trouble here.
            if let Err(error) = self.tell_actuals(day, &untold(&predictions, row), false).await {
                tracing::warn!(%day, %error, "the predictions could not be told their real prices");
            }
        }
        Ok(DayPredictions { predictions, row })
    }

    /// Tells a day's predictions what their prices became, those that do not know it or all. An old row that breaks a rule may not be
    /// changed: it stays as it is, and the others of its checkpoint with it.
    pub(super) async fn tell_actuals(
        &self,
        day: Day,
        prices: &DayPrices,
        force: bool,
    ) -> Result<(), StoreError> {
        for checkpoint in Checkpoint::PREDICTED {
            let mut price = DayPrices::default();
            price.set(checkpoint, prices.get(checkpoint));
            if price.is_empty() {
                continue;
            }
            let repository = &self.repositories.ai_predictions;
            match repository.set_actuals(day, &price, force, self.now()).await {
                Err(error @ StoreError::Invalid { .. }) => {
                    tracing::warn!(%day, ?checkpoint, %error, "predictions could not be told their real price");
                }
                told => {
                    told?;
                }
            }
        }
        Ok(())
    }

    /// Makes the day's band of its stored predictions and locks it.
    pub async fn lock_band(&self, day: Day) -> Result<(DailyPrediction, Vec<AiPrediction>), MarketError> {
        let row = self.repositories.daily_predictions.get(day).await?;
        if row.is_some_and(|row| row.fields.locked == Some(true.into())) {
            return Err(MarketError::Locked(day));
        }
        let predictions = self.unique_of(day).await?;
        if predictions.is_empty() {
            return Err(MarketError::NoModel(format!(
                "No predictions are stored for {day}, and this service has no model to make them"
            )));
        }
        match self.change(day, &band(day, &predictions)?).await? {
            DayOutcome::Stored(stored) => Ok((stored.after, predictions)),
            DayOutcome::Locked | DayOutcome::Missing => Err(MarketError::Locked(day)),
        }
    }

    /// Makes the baseline's predictions for a day, unless it has some; `None` if the price source lacks what they need.
    pub(super) async fn forecast(
        &self,
        day: Day,
        pre_market: Option<f64>,
    ) -> Result<Option<Stored>, MarketError> {
        if !self.unique_of(day).await?.is_empty() {
            return Ok(Some(Stored::Known));
        }
        let symbol = &self.rules.symbol;
        let (Some(from), Some(to)) = (day.plus_days(-BARS_BACK_DAYS), day.plus_days(-1)) else {
            return Ok(None);
        };
        let bars = self.prices.bars(symbol, from, to).await?;
        let pre_market = if pre_market.is_some() {
            pre_market
        } else {
            let quote = self.prices.price(symbol, Checkpoint::PreMarket, day).await?;
            quote.map(|quote| quote.price)
        };
        let pre_market = pre_market.filter(|price| price.is_finite() && *price > 0.0);
        let Some(basis) = Basis::from_bars(&bars, pre_market) else {
            return Ok(None);
        };
        let context = format!(
            "Baseline from {} daily bars: previous close {:.2}, average range {:.2}",
            bars.len(),
            basis.previous_close,
            basis.average_range
        );
        let rows: Vec<AiFields> = basis
            .forecast()
            .iter()
            .map(|forecast| prediction(day, forecast, &context))
            .collect();
        match self.repositories.ai_predictions.insert(&rows, self.now()).await {
            Ok(()) => Ok(Some(Stored::New(rows.len() as u64))),
            Err(StoreError::Conflict(_)) => Ok(Some(Stored::LostRace)),
            Err(error) => Err(error.into()),
        }
    }

    /// What is stored twice.
    pub async fn duplicates(&self) -> Result<DuplicateAnalysis, MarketError> {
        Ok(self.repositories.ai_predictions.duplicates().await?)
    }

    /// Deletes what is stored twice; what was, and how many rows are gone.
    pub async fn remove_duplicates(&self) -> Result<(DuplicateAnalysis, u64), MarketError> {
        let found = self.duplicates().await?;
        let deleted = self.repositories.ai_predictions.remove_duplicates().await?;
        Ok((found, deleted))
    }
}

/// What the day's row knows of the prices that predictions have not been told.
fn untold(predictions: &[AiPrediction], row: &DailyPrediction) -> DayPrices {
    let mut prices = DayPrices::default();
    let rows = predictions.iter().map(|prediction| &prediction.fields);
    for checkpoint in rows
        .filter(|row| row.actual_price.is_none())
        .filter_map(|row| row.checkpoint.known())
    {
        prices.set(*checkpoint, row.fields.price(*checkpoint));
    }
    prices
}

/// The band from the lowest to the highest predicted price.
pub(super) fn band(day: Day, predictions: &[AiPrediction]) -> Result<DayChange, MarketError> {
    let prices = || {
        predictions
            .iter()
            .filter_map(|row| row.fields.predicted_price.known().copied())
    };
    match (prices().reduce(f64::min), prices().reduce(f64::max)) {
        (Some(low), Some(high)) => Ok(DayChange::Band { low, high }),
        _ => Err(MarketError::Unusable(format!(
            "The predictions stored for {day} have no prices"
        ))),
    }
}

fn prediction(day: Day, forecast: &Forecast, context: &str) -> AiFields {
    AiFields {
        day: day.into(),
        checkpoint: forecast.checkpoint.into(),
        predicted_price: forecast.price.into(),
        confidence: forecast.confidence.into(),
        reasoning: Some("Statistical baseline from recent daily bars".to_owned()),
        market_context: Some(context.to_owned()),
        actual_price: None,
        prediction_error: None,
        interval_low: Some(forecast.low.into()),
        interval_high: Some(forecast.high.into()),
        interval_hit: None,
        source: Some("baseline".to_owned()),
        model: Some("baseline_statistical".to_owned()),
        prompt_version: Some("baseline_v1.0".to_owned()),
    }
}
