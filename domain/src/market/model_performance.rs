//! How good a model was on a day.

use super::day::Day;
use crate::stored::Stored;
use crate::time::Timestamp;

/// A day's figures of a model, as they are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPerformance {
    /// The row's number.
    pub id: i64,
    /// The day.
    pub day: Stored<Day>,
    /// The model; one row for each day and model.
    pub model_name: String,
    /// The figures.
    pub figures: PerformanceFigures,
    /// When they were stored.
    pub created_at: Option<Stored<Timestamp>>,
    /// When one of them last changed; none if none ever did.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// How good a model was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PerformanceFigures {
    /// The mean absolute error.
    pub mae: Option<Stored<f64>>,
    /// The root of the mean squared error.
    pub rmse: Option<Stored<f64>>,
    /// The share of predictions within a dollar.
    pub hit_rate_1dollar: Option<Stored<f64>>,
    /// The share of prices within the predicted interval.
    pub interval_coverage: Option<Stored<f64>>,
}
