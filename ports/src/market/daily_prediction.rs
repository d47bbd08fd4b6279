//! Days and their prices.

use async_trait::async_trait;
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum DayOutcome {
    /// The row is as the change wants it.
    Stored(Box<DayStored>),
    /// There is no row, and the change makes none.
    Missing,
    /// The row is locked; nothing was changed.
    Locked,
}

/// A day's row that was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct DayStored {
    /// As it was, if there was one.
    pub before: Option<DailyPrediction>,
    /// As it is.
    pub after: DailyPrediction,
    /// What was logged.
    pub logs: Vec<PriceLog>,
}

/// Rows that were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Of the days.
    pub daily_predictions: u64,
    /// Of their logs.
    pub price_logs: u64,
}

/// How the original program shows the times of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// Without a zone: its SQLite files hold none.
    Naive,
    /// In UTC, with a `Z`.
    Utc,
}

/// The days (`daily_predictions`), at most one row for each, and the log of their prices (`price_logs`), which is part of
/// what is stored with a day.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait DailyPredictionRepository: Send + Sync {
    /// The day's row, or `None`.
    async fn get(&self, day: Day) -> StoreResult<Option<DailyPrediction>>;

    /// Applies a change to the day, and logs what it logs, all or nothing. Changes of one day happen one after the other,
    /// however many make them: each sees what the one before left. A row that would break a rule by what the change sets is
    /// `Invalid`, by the name of the rule; where the table checks whole rows, so is one that breaks it by what the change
    /// leaves alone. A new row's `created_at` is `now`, to the second at least.
    async fn change(&self, day: Day, change: &DayChange, now: Timestamp) -> StoreResult<DayOutcome>;

    /// `limit` rows from the `offset`th on, the latest day first, all of one day by number.
    async fn page(&self, limit: u32, offset: u64) -> StoreResult<Vec<DailyPrediction>>;

    /// At most `limit` rows up to a day, the latest first, as by [`page`](Self::page).
    async fn up_to(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>>;

    /// At most `limit` rows from a day on, the latest first, as by [`page`](Self::page).
    async fn since(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>>;

    /// Deletes the rows after a day; how many there were. Their logs stay.
    async fn delete_after(&self, day: Day) -> StoreResult<u64>;

    /// Deletes the rows and the logs before a day, all or none; how many there were.
    async fn delete_before(&self, day: Day) -> StoreResult<Swept>;

    /// How many prices were logged for days from this one on.
    async fn count_logs_since(&self, day: Day) -> StoreResult<u64>;

    /// The logs of a day, in the order in which they were written; those whose moment or price breaks its rule are left
    /// out.
    async fn logs(&self, day: Day) -> StoreResult<Vec<PriceLog>>;

    /// How the original shows the times that this store keeps.
    fn time_form(&self) -> TimeForm;
}
