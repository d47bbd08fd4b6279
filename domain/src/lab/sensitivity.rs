//! What changes of a scorecard's dimensions do to a simulation's outcome.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::simulation::SimulationRates;
use crate::json::{Json, JsonError};
use crate::stored::Stored;
use crate::time::Timestamp;

/// The result of one such study.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitivityResult {
    /// `sens_` and twelve hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The simulation it starts from.
    pub simulation_id: String,
    /// When the study was made.
    pub analyzed_at: Stored<Timestamp>,
    /// The changes tried: an array of numbers.
    pub deltas_used: Json,
    /// The success rate without a change, 0 to 1.
    pub baseline_success: Stored<f64>,
    /// The dimension that matters most.
    pub most_sensitive_dimension: String,
    /// What each dimension does: see [`SensitivityResult::dimensions`].
    pub dimensions: Json,
    /// When the result was stored.
    pub created_at: Stored<Timestamp>,
}

/// What changing one dimension does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionSensitivity {
    /// The dimension.
    pub dimension: String,
    /// Its score without a change, 0 to 1.
    pub baseline_value: f64,
    /// The changes tried.
    pub deltas_tested: Vec<f64>,
    /// The outcome of each, by the change as text.
    pub outcomes_by_delta: BTreeMap<String, SimulationRates>,
    /// How much the outcome follows the dimension.
    pub sensitivity_index: f64,
    /// 1 for the dimension that matters most.
    pub rank: i64,
}

/// The number of a result that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {range}")]
pub struct SensitivityError {
    /// Which number.
    pub field: &'static str,
    /// Its range in words.
    pub range: &'static str,
}

impl SensitivityResult {
    /// The typed view of what each dimension does.
    pub fn dimensions(&self) -> Result<Vec<DimensionSensitivity>, JsonError> {
        self.dimensions.view()
    }

    /// The success rate is from 0 to 1.
    pub fn check(&self) -> Result<(), SensitivityError> {
        match self.baseline_success.known() {
            Some(rate) if (0.0..=1.0).contains(rate) => Ok(()),
            _ => Err(SensitivityError {
                field: "baseline_success",
                range: "from 0 to 1",
            }),
        }
    }
}

impl DimensionSensitivity {
    /// The score is from 0 to 1, the rank begins with 1.
    pub fn check(&self) -> Result<(), SensitivityError> {
        let rules = [
            (
                "baseline_value",
                (0.0..=1.0).contains(&self.baseline_value),
                "from 0 to 1",
            ),
            ("rank", self.rank >= 1, "at least 1"),
        ];
        match rules.into_iter().find(|(_, kept, _)| !kept) {
            Some((field, _, range)) => Err(SensitivityError { field, range }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMENSIONS: &str = r#"[{"dimension": "complexity", "baseline_value": 0.5, "deltas_tested": [-0.1, 0.1],
        "outcomes_by_delta": {"-0.1": {"did_not_try": 0.1, "failed": 0.2, "success": 0.7}},
        "sensitivity_index": 1.25, "rank": 1}]"#;

    fn dimension() -> DimensionSensitivity {
        let mut all: Vec<DimensionSensitivity> = Json::parse(DIMENSIONS).unwrap().view().unwrap();
        all.remove(0)
    }

    #[test]
    fn dimensions_are_read() {
        let read = dimension();
        let outcome = SimulationRates {
            did_not_try: 0.1,
            failed: 0.2,
            success: 0.7,
        };
        assert_eq!(read.outcomes_by_delta["-0.1"], outcome);
        assert_eq!(read.deltas_tested, [-0.1, 0.1]);
        assert_eq!(read.check(), Ok(()));
    }

    #[test]
    fn numbers_have_ranges() {
        let mut broken = dimension();
        broken.rank = 0;
        assert_eq!(broken.check().unwrap_err().to_string(), "rank must be at least 1");
        broken.baseline_value = 1.5;
        assert_eq!(broken.check().unwrap_err().field, "baseline_value");
        let at = Timestamp::from_micros(0).unwrap();
        let mut result = SensitivityResult {
            id: String::new(),
            simulation_id: String::new(),
            analyzed_at: at.into(),
            deltas_used: Json::parse("[]").unwrap(),
            baseline_success: 1.0.into(),
            most_sensitive_dimension: String::new(),
            dimensions: Json::parse(DIMENSIONS).unwrap(),
            created_at: at.into(),
        };
        assert_eq!(result.check(), Ok(()));
        result.baseline_success = f64::NAN.into();
        assert_eq!(result.check().unwrap_err().field, "baseline_success");
    }
}
