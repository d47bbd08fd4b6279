//! The repositories of SPY-tracker, one file each, and where its prices come from.

pub mod ai_prediction;
pub mod baseline_model;
pub mod daily_prediction;
pub mod job_run;
pub mod model_performance;
pub mod price_source;

pub use ai_prediction::AiPredictionRepository;
#[cfg(feature = "mock")]
pub use ai_prediction::MockAiPredictionRepository;
pub use baseline_model::BaselineModelRepository;
#[cfg(feature = "mock")]
pub use baseline_model::MockBaselineModelRepository;
#[cfg(feature = "mock")]
pub use daily_prediction::MockDailyPredictionRepository;
pub use daily_prediction::{DailyPredictionRepository, DayOutcome, DayStored, Swept, TimeForm};
#[cfg(feature = "mock")]
pub use job_run::MockJobRunRepository;
pub use job_run::{Claim, JobRunRepository};
#[cfg(feature = "mock")]
pub use model_performance::MockModelPerformanceRepository;
pub use model_performance::ModelPerformanceRepository;
#[cfg(feature = "mock")]
pub use price_source::MockPriceSource;
pub use price_source::{PriceError, PriceSource, Quote};

use std::sync::Arc;

/// SPY-tracker's repositories, each on whatever backend routing chose for it.
#[derive(Clone)]
pub struct MarketRepositories {
    /// What models predicted.
    pub ai_predictions: Arc<dyn AiPredictionRepository>,
    /// Models that predictions are compared with.
    pub baseline_models: Arc<dyn BaselineModelRepository>,
    /// The days, with the logs of their prices.
    pub daily_predictions: Arc<dyn DailyPredictionRepository>,
    /// Runs of the jobs.
    pub job_runs: Arc<dyn JobRunRepository>,
    /// How good models were.
    pub model_performance: Arc<dyn ModelPerformanceRepository>,
}

impl std::fmt::Debug for MarketRepositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MarketRepositories").finish_non_exhaustive()
    }
}
