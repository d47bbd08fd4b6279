//! The JSON that both sources read.

use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_ports::market::{PriceError, Quote};
use serde::Deserialize;

/// The price of a moment; null if there is none.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PriceDocument {
    price: Option<f64>,
    #[serde(default)]
    fallback: bool,
}

/// Bars, in any order.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BarsDocument {
    bars: Vec<BarDocument>,
}

/// One bar.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BarDocument {
    /// Only a file may say it; left out it means any.
    pub(crate) symbol: Option<String>,
    date: String,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
}

impl PriceDocument {
    pub(crate) fn new(price: Option<f64>, fallback: bool) -> Self {
        Self { price, fallback }
    }

    pub(crate) fn quote(&self) -> Option<Quote> {
        self.price.map(|price| Quote {
            price,
            is_fallback: self.fallback,
        })
    }
}

impl BarsDocument {
    pub(crate) fn of(bars: Vec<BarDocument>) -> Self {
        Self { bars }
    }

    /// Those from one day to another, oldest first.
    pub(crate) fn between(self, from: Day, to: Day) -> Result<Vec<DailyBar>, PriceError> {
        let bars: Result<Vec<DailyBar>, PriceError> = self.bars.into_iter().map(BarDocument::bar).collect();
        let mut bars = bars?;
        bars.retain(|bar| from <= bar.day && bar.day <= to);
        bars.sort_by_key(|bar| bar.day);
        Ok(bars)
    }
}

impl BarDocument {
    pub(crate) fn bar(self) -> Result<DailyBar, PriceError> {
        let day = Day::parse(&self.date).map_err(|error| PriceError::Unreadable(error.to_string()))?;
        Ok(DailyBar {
            day,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
        })
    }
}
