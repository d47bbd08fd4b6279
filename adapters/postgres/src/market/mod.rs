//! SPY-tracker's repositories on PostgreSQL, one file each.

pub mod ai_prediction;
pub mod baseline_model;
pub mod daily_prediction;
pub mod job_run;
pub mod model_performance;

use std::sync::Arc;

use cutover_domain::market::daily_prediction::BrokenRule;
use cutover_ports::StoreError;
use cutover_ports::market::MarketRepositories;

use crate::Database;

/// Every repository of SPY-tracker on `db`.
pub fn repositories(db: &Database) -> MarketRepositories {
    MarketRepositories {
        ai_predictions: Arc::new(ai_prediction::PgAiPredictionRepository::new(db.clone())),
        baseline_models: Arc::new(baseline_model::PgBaselineModelRepository::new(db.clone())),
        daily_predictions: Arc::new(daily_prediction::PgDailyPredictionRepository::new(db.clone())),
        job_runs: Arc::new(job_run::PgJobRunRepository::new(db.clone())),
        model_performance: Arc::new(model_performance::PgModelPerformanceRepository::new(db.clone())),
    }
}

/// A broken rule as the store's error.
fn broken(table: &str, rule: BrokenRule) -> StoreError {
    StoreError::invalid(format!("{table}: {}", rule.constraint), rule.rule)
}
