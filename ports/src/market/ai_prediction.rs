//! What models predicted.

use async_trait::async_trait;
use cutover_domain::market::ai_prediction::{AiFields, AiPrediction, DuplicateAnalysis, ScoredFilter};
use cutover_domain::market::daily_prediction::DayPrices;
use cutover_domain::market::day::Day;
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// What models predicted (`ai_predictions`): one row for each moment of a day, except in old files.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AiPredictionRepository: Send + Sync {
    /// Stores new predictions, all or none, made at `now`. A moment of a day that has one already is
    /// `Conflict("ai_predictions.date,checkpoint")`, a confidence that is no probability `Invalid`.
    async fn insert(&self, predictions: &[AiFields], now: Timestamp) -> StoreResult<()>;

    /// The day's rows, the newest first, those without a time last; of one time by number.
    async fn for_day(&self, day: Day) -> StoreResult<Vec<AiPrediction>>;

    /// Tells the day's predictions what the prices became, and how far off they were: those that do not know yet, or all
    /// if `force`d. Moments without a price stay as they are. How many rows changed.
    async fn set_actuals(
        &self,
        day: Day,
        prices: &DayPrices,
        force: bool,
        now: Timestamp,
    ) -> StoreResult<u64>;

    /// The predictions whose prices are known, by number.
    async fn scored(&self, filter: &ScoredFilter) -> StoreResult<Vec<AiPrediction>>;

    /// Deletes the rows after a day; how many there were.
    async fn delete_after(&self, day: Day) -> StoreResult<u64>;

    /// Deletes the rows before a day; how many there were.
    async fn delete_before(&self, day: Day) -> StoreResult<u64>;

    /// What is there twice; only old files have such rows.
    async fn duplicates(&self) -> StoreResult<DuplicateAnalysis>;

    /// Deletes all rows of a moment of a day but the one with the highest number, and lets no new ones in; how many were
    /// deleted.
    async fn remove_duplicates(&self) -> StoreResult<u64>;
}
