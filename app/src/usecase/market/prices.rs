//! Prices from the price source, put into the days.

use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayPrices, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::market::{Checkpoint, is_plausible_price};
use cutover_ports::market::{DayOutcome, PriceError};

use super::{Market, MarketError};

/// The longest range of days that official prices are asked for at once.
const RANGE_DAYS_MAX: i64 = 90;

/// Official prices that were stored.
#[derive(Debug, Clone)]
pub struct OfficialUpdate {
    /// The row as it was.
    pub before: Option<DailyPrediction>,
    /// What was set, in order.
    pub set: Vec<PriceLog>,
}

/// What became of each day of a range.
pub type RangeUpdate = Vec<(Day, Result<OfficialUpdate, MarketError>)>;

impl Market {
    /// The prices of a day that are really of their moments and can be prices.
    async fn day_prices(&self, day: Day) -> Result<DayPrices, PriceError> {
        let symbol = &self.rules.symbol;
        let mut prices = DayPrices::default();
        for checkpoint in Checkpoint::PREDICTED {
            let quote = self.prices.price(symbol, checkpoint, day).await?;
            let price = quote
                .filter(|quote| !quote.is_fallback && is_plausible_price(symbol, quote.price))
                .map(|quote| quote.price);
            prices.set(checkpoint, price);
        }
        Ok(prices)
    }

    /// Whether a day is today, and there is somebody to ask for its prices.
    pub fn is_to_complete(&self, day: Day) -> bool {
        day == self.today() && self.prices.is_configured()
    }

    /// Fills in a day's prices, those that are missing or all, and tells the day's predictions; what was set in the day.
    pub async fn refresh_actuals(&self, day: Day, force: bool) -> Result<DayPrices, MarketError> {
        let prices = self.day_prices(day).await?;
        if prices.is_empty() {
            return Ok(prices);
        }
        let change = DayChange::FillActuals { prices, force };
        let filled = match self.change(day, &change).await? {
            DayOutcome::Stored(stored) => {
                let before = stored.before.map(|row| row.fields).unwrap_or_default();
                prices.taken_by(&before, force)
            }
            DayOutcome::Missing | DayOutcome::Locked => DayPrices::default(),
        };
        self.tell_actuals(day, &prices, force).await?;
        Ok(filled)
    }

    /// Sets a day's official prices, those that are missing or all, and logs them.
    pub async fn refresh_official(&self, day: Day, force: bool) -> Result<OfficialUpdate, MarketError> {
        let prices = self.day_prices(day).await?;
        let symbol = &self.rules.symbol;
        let none = || MarketError::NoPrices {
            symbol: symbol.clone(),
            day,
        };
        // Without a daily bar there is neither an opening nor a close; with one there are, but they may be none to believe.
        let has_bar = prices.open.is_some()
            || prices.close.is_some()
            || !self.prices.bars(symbol, day, day).await?.is_empty();
        if !has_bar {
            return Err(none());
        }
        match self.change(day, &DayChange::Official { prices, force }).await? {
            DayOutcome::Stored(stored) => Ok(OfficialUpdate {
                before: stored.before,
                set: stored.logs,
            }),
            DayOutcome::Missing | DayOutcome::Locked => Err(none()),
        }
    }

    /// The same for each day of a range, weekends included. What fails on one day does not stop the others.
    pub async fn refresh_official_range(
        &self,
        from: Day,
        to: Day,
        force: bool,
    ) -> Result<RangeUpdate, MarketError> {
        let length = range(from, to)?;
        if length > RANGE_DAYS_MAX {
            return Err(MarketError::Refused(format!(
                "Date range too large. Maximum {RANGE_DAYS_MAX} days allowed, got {length} days"
            )));
        }
        if !self.prices.is_configured() {
            return Err(PriceError::NotConfigured.into());
        }
        let mut updates = Vec::new();
        for day in days(from, length) {
            updates.push((day, self.refresh_official(day, force).await));
        }
        Ok(updates)
    }
}

/// How many days a range has.
fn range(from: Day, to: Day) -> Result<i64, MarketError> {
    if from > to {
        let message = "start_date must be before or equal to end_date";
        return Err(MarketError::Refused(message.to_owned()));
    }
    Ok(to.epoch_days() - from.epoch_days() + 1)
}

fn days(from: Day, length: i64) -> impl Iterator<Item = Day> {
    (0..length).filter_map(move |number| from.plus_days(number))
}
