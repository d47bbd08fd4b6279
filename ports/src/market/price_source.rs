//! Where prices come from.

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;

/// A price for a moment of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quote {
    /// The price; whether it can be one is the caller's to judge.
    pub price: f64,
    /// Whether it is a current price in place of the one wanted.
    pub is_fallback: bool,
}

/// Why a source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// None is configured.
    #[error("no price source is configured; set market.prices")]
    NotConfigured,
    /// It cannot be reached, or does not answer in time.
    #[error("the price source cannot be reached: {0}")]
    Unreachable(String),
    /// It answered something else than documented.
    #[error("the price source answered what is not documented: {0}")]
    Unreadable(String),
}

/// A provider of market data.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PriceSource: Send + Sync {
    /// The price of a symbol at a moment of a day; `None` if the provider has none.
    async fn price(
        &self,
        symbol: &str,
        checkpoint: Checkpoint,
        day: Day,
    ) -> Result<Option<Quote>, PriceError>;

    /// The daily bars of a symbol from one day to another, both included, oldest first. Days without trade have none.
    async fn bars(&self, symbol: &str, from: Day, to: Day) -> Result<Vec<DailyBar>, PriceError>;

    /// Whether there is one at all.
    fn is_configured(&self) -> bool;
}
