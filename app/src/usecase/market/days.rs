//! The days: what is predicted for them, and what became of it.

use cutover_domain::market::accuracy::{DayMetrics, hit_share};
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayFields, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::market::suggestion::{Suggestion, current_price, suggestions};
use cutover_ports::market::{DayOutcome, DayStored};

use super::{Market, MarketError};

/// The days that figures are made of.
const FIGURE_DAYS: u32 = 20;

/// The trades for a day.
#[derive(Debug, Clone)]
pub struct Suggested {
    /// The price that they start from.
    pub price: f64,
    /// The trades; none if the price is below zero.
    pub suggestions: Vec<Suggestion>,
}

/// How completely prices were captured.
#[derive(Debug, Clone)]
pub struct CaptureStatus {
    /// From this day on.
    pub from: Day,
    /// Up to today.
    pub to: Day,
    /// The days, the latest first.
    pub days: Vec<DailyPrediction>,
    /// How many prices were logged for days from then on.
    pub logs: u64,
}

/// What the future held.
#[derive(Debug, Clone, Copy)]
pub struct FutureSwept {
    /// The last day that was kept.
    pub today: Day,
    /// Rows of days.
    pub daily_predictions: u64,
    /// Predictions of models.
    pub ai_predictions: u64,
}

impl Market {
    pub(super) async fn change(&self, day: Day, change: &DayChange) -> Result<DayOutcome, MarketError> {
        let days = &self.repositories.daily_predictions;
        Ok(days.change(day, change, self.now()).await?)
    }

    /// A change of a kind that always leaves a row.
    async fn store(&self, day: Day, change: &DayChange) -> Result<DayStored, MarketError> {
        match self.change(day, change).await? {
            DayOutcome::Stored(stored) => Ok(*stored),
            DayOutcome::Missing => Err(MarketError::NothingToDerive(day)),
            DayOutcome::Locked => Err(MarketError::Locked(day)),
        }
    }

    /// Sets every field of a day; what is not given becomes none.
    pub async fn replace(&self, day: Day, fields: DayFields) -> Result<DailyPrediction, MarketError> {
        let change = DayChange::Replace(Box::new(fields));
        Ok(self.store(day, &change).await?.after)
    }

    /// The day's row. Whoever shows today's has it completed first.
    pub async fn day(&self, day: Day) -> Result<DailyPrediction, MarketError> {
        let row = self.repositories.daily_predictions.get(day).await?;
        row.ok_or_else(|| no_row(day, "Try entering a prediction for this date first"))
    }

    /// Keeps and logs a price that somebody tells.
    pub async fn record(&self, day: Day, log: PriceLog) -> Result<(), MarketError> {
        self.store(day, &DayChange::Record(log)).await.map(drop)
    }

    /// Derives the day's outcome anew.
    pub async fn recompute(&self, day: Day) -> Result<DailyPrediction, MarketError> {
        Ok(self.store(day, &DayChange::Recompute).await?.after)
    }

    /// A page of the days, the latest first.
    pub async fn history(&self, limit: u32, offset: u64) -> Result<Vec<DailyPrediction>, MarketError> {
        Ok(self.repositories.daily_predictions.page(limit, offset).await?)
    }

    /// The figures of the last days.
    pub async fn metrics(&self) -> Result<DayMetrics, MarketError> {
        let rows = self.repositories.daily_predictions.page(FIGURE_DAYS, 0).await?;
        Ok(DayMetrics::of(&rows))
    }

    /// The trades that fit a day.
    pub async fn suggestions(&self, day: Day) -> Result<Suggested, MarketError> {
        let days = &self.repositories.daily_predictions;
        let row = days.get(day).await?;
        let row = row.ok_or_else(|| no_row(day, "Create a prediction for this date first"))?;
        let price = current_price(&row.fields).ok_or(MarketError::NoPrice(day))?;
        if price < 0.0 {
            return Ok(Suggested {
                price,
                suggestions: Vec::new(),
            });
        }
        let rate = hit_share(&days.up_to(day, FIGURE_DAYS).await?);
        Ok(Suggested {
            price,
            suggestions: suggestions(&row.fields, price, rate),
        })
    }

    /// How completely the prices of the last `days` days were captured. A number below zero looks ahead, without a limit,
    /// as the original does. Beyond the calendar it is the calendar's end on that side.
    pub async fn capture_status(&self, days: i64) -> Result<CaptureStatus, MarketError> {
        let to = self.today();
        let end = if days < 0 { Day::MAX } else { Day::MIN };
        let from = days.checked_neg().and_then(|days| to.plus_days(days));
        let from = from.unwrap_or(end);
        let limit = u32::try_from(days).unwrap_or(u32::MAX);
        let repository = &self.repositories.daily_predictions;
        Ok(CaptureStatus {
            from,
            to,
            days: repository.since(from, limit).await?,
            logs: repository.count_logs_since(from).await?,
        })
    }

    /// Deletes what is stored for days to come.
    pub async fn sweep_future(&self) -> Result<FutureSwept, MarketError> {
        let today = self.today();
        Ok(FutureSwept {
            today,
            daily_predictions: self.repositories.daily_predictions.delete_after(today).await?,
            ai_predictions: self.repositories.ai_predictions.delete_after(today).await?,
        })
    }
}

fn no_row(day: Day, hint: &'static str) -> MarketError {
    MarketError::NotFound {
        message: format!("No prediction data found for {day}"),
        day,
        hint,
    }
}
