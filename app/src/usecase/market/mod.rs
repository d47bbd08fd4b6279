//! SPY-tracker's use cases.

pub mod accuracy;
pub mod days;
pub mod jobs;
pub mod predictions;
pub mod prices;

use std::sync::Arc;

use cutover_domain::market::day::Day;
use cutover_domain::market::job_run::Timetable;
use cutover_domain::time::Timestamp;
use cutover_ports::StoreError;
use cutover_ports::clock::Clock;
use cutover_ports::market::{MarketRepositories, PriceError, PriceSource};

/// What is configured about the market.
#[derive(Debug, Clone)]
pub struct MarketRules {
    /// The symbol that is tracked.
    pub symbol: String,
    /// The wall clock and the trading days.
    pub timetable: Timetable,
    /// How many days are kept by the cleanup; none: all.
    pub retention_days: Option<u32>,
}

/// Why the market did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// There is nothing of that day.
    #[error("{message}")]
    NotFound {
        /// What is missing, in words.
        message: String,
        /// The day.
        day: Day,
        /// What to do about it.
        hint: &'static str,
    },
    /// A day whose outcome is to be derived anew is not there.
    #[error("No prediction found for {0}")]
    NothingToDerive(Day),
    /// The price source has no prices of that day.
    #[error("No official price data available for {symbol} on {day}")]
    NoPrices {
        /// The symbol that is tracked.
        symbol: String,
        /// The day.
        day: Day,
    },
    /// What is stored does not allow an answer.
    #[error("{0}")]
    Unusable(String),
    /// What is stored of that day has no price that suggestions could begin with.
    #[error("Insufficient price data to generate suggestions")]
    NoPrice(Day),
    /// The request breaks a rule that its schema does not tell.
    #[error("{0}")]
    Refused(String),
    /// A model may not change the day any more.
    #[error("the prediction for {0} is locked")]
    Locked(Day),
    /// It needs a model, which this service has none of.
    #[error("{0}")]
    NoModel(String),
    /// The prices could not be had.
    #[error(transparent)]
    Prices(#[from] PriceError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the market's use cases work with; made anew for each piece of work, as the repositories may move meanwhile.
#[derive(Clone)]
pub struct Market {
    repositories: MarketRepositories,
    prices: Arc<dyn PriceSource>,
    clock: Arc<dyn Clock>,
    rules: Arc<MarketRules>,
}

impl std::fmt::Debug for Market {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Market")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Market {
    /// The use cases on these.
    pub fn new(
        repositories: MarketRepositories,
        prices: Arc<dyn PriceSource>,
        clock: Arc<dyn Clock>,
        rules: Arc<MarketRules>,
    ) -> Self {
        Self {
            repositories,
            prices,
            clock,
            rules,
        }
    }

    /// The repositories.
    pub fn repositories(&self) -> &MarketRepositories {
        &self.repositories
    }

    /// What is configured.
    pub fn rules(&self) -> &MarketRules {
        &self.rules
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The day that it is on the market's wall clock.
    pub fn today(&self) -> Day {
        self.rules.timetable.today(self.now())
    }
}
