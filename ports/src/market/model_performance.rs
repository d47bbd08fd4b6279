//! How good models were.

use async_trait::async_trait;
use cutover_domain::market::day::Day;
use cutover_domain::market::model_performance::{ModelPerformance, PerformanceFigures};
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// How good models were (`model_performance`), one row for each day and model.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ModelPerformanceRepository: Send + Sync {
    /// Stores a day's figures of a model, new or in place of those it had. What was there already is no change.
    async fn save(
        &self,
        day: Day,
        model_name: &str,
        figures: &PerformanceFigures,
        now: Timestamp,
    ) -> StoreResult<ModelPerformance>;

    /// The figures from one day to another, both included, of one model or of all; by day, then by model.
    async fn history(
        &self,
        from: Day,
        to: Day,
        model_name: Option<String>,
    ) -> StoreResult<Vec<ModelPerformance>>;
}
