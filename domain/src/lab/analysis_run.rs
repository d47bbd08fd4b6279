//! Analysis runs: one simulation of an experiment's feature over a population of synths.

use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// How far a run is.
    AnalysisStatus {
        /// Not begun.
        Pending = "pending",
        /// Under way. A crash leaves it so for ever.
        Running = "running",
        /// Done.
        Completed = "completed",
        /// Given up.
        Failed = "failed",
    }
}

impl AnalysisStatus {
    /// Whether a run in this state may go on to `next`: only one that waits or has failed may start, any may end.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Completed | Self::Failed => true,
            Self::Running => matches!(self, Self::Pending | Self::Failed),
            Self::Pending => false,
        }
    }
}

/// A run. An experiment has at most one.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisRun {
    /// `ana_` and eight hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The experiment.
    pub experiment_id: String,
    /// `baseline`, `crisis` or `first-use` by convention.
    pub scenario_id: String,
    /// An [`AnalysisConfig`].
    pub config: Json,
    /// How far it is.
    pub status: Stored<AnalysisStatus>,
    /// When it was started.
    pub started_at: Stored<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Stored<Timestamp>>,
    /// How many synths it covered.
    pub total_synths: Option<Stored<i64>>,
    /// The [`Rates`] over all synths.
    pub aggregated_outcomes: Option<Json>,
    /// How long it took.
    pub execution_time_seconds: Option<Stored<f64>>,
}

/// A step of a run: its new status, and what is known by then. What is `None` stays.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisProgress {
    /// The new status.
    pub status: AnalysisStatus,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// How many synths it covered.
    pub total_synths: Option<i64>,
    /// The rates over all synths.
    pub aggregated_outcomes: Option<Json>,
    /// How long it took.
    pub execution_time_seconds: Option<f64>,
}

impl AnalysisProgress {
    /// A new status and nothing else.
    pub fn to(status: AnalysisStatus) -> Self {
        Self {
            status,
            completed_at: None,
            total_synths: None,
            aggregated_outcomes: None,
            execution_time_seconds: None,
        }
    }
}

/// What a run is asked to do: the typed view of `analysis_runs.config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AnalysisConfig {
    /// Synths, 10 to 10 000.
    pub n_synths: i64,
    /// Executions for each synth, 10 to 1000.
    pub n_executions: i64,
    /// Noise, 0 to 0.5.
    pub sigma: f64,
    /// Makes the run repeatable.
    pub seed: Option<i64>,
}

impl Default for AnalysisConfig {
    fn default() -> Self {
        Self {
            n_synths: 500,
            n_executions: 100,
            sigma: 0.05,
            seed: None,
        }
    }
}

/// Why a run's numbers are not accepted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnalysisError {
    /// A number is out of its range.
    #[error("{field} must be from {min} to {max}")]
    OutOfRange {
        /// Which number.
        field: &'static str,
        /// The least it may be.
        min: f64,
        /// The most.
        max: f64,
    },
    /// The three rates do not make one.
    #[error("the three rates must sum up to 1 (give or take 0.01)")]
    RatesSum,
}

/// Refuses a number out of its range; NaN is out of every range.
fn check_range(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), AnalysisError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(AnalysisError::OutOfRange { field, min, max })
    }
}

impl AnalysisConfig {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), AnalysisError> {
        check_range("n_synths", self.n_synths as f64, 10.0, 10_000.0)?;
        check_range("n_executions", self.n_executions as f64, 10.0, 1000.0)?;
        check_range("sigma", self.sigma, 0.0, 0.5)
    }
}

/// How synths fared: the typed view of `analysis_runs.aggregated_outcomes`, and the three columns of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rates {
    /// The share that did not try.
    pub did_not_try_rate: f64,
    /// The share that tried and failed.
    pub failed_rate: f64,
    /// The share that succeeded.
    pub success_rate: f64,
}

impl Rates {
    /// Each rate is from 0 to 1, and they sum up to 1, give or take 0.01.
    pub fn check(&self) -> Result<(), AnalysisError> {
        check_range("did_not_try_rate", self.did_not_try_rate, 0.0, 1.0)?;
        check_range("failed_rate", self.failed_rate, 0.0, 1.0)?;
        check_range("success_rate", self.success_rate, 0.0, 1.0)?;
        let sum = self.did_not_try_rate + self.failed_rate + self.success_rate;
        if (0.99..=1.01).contains(&sum) {
            Ok(())
        } else {
            Err(AnalysisError::RatesSum)
        }
    }
}

/// Whether `id` is `ana_` and eight lower-case hexadecimal digits.
pub fn is_analysis_id(id: &str) -> bool {
    super::is_prefixed_hex(id, "ana_", 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> AnalysisConfig {
        Json::parse(text).unwrap().view().unwrap()
    }

    #[test]
    fn missing_configuration_takes_defaults() {
        assert_eq!(config("{}"), AnalysisConfig::default());
        let given = config(r#"{"n_synths": 20, "seed": 7, "other": true}"#);
        assert_eq!(
            (given.n_synths, given.n_executions, given.seed),
            (20, 100, Some(7))
        );
        assert_eq!(given.check(), Ok(()));
    }

    #[test]
    fn configuration_has_ranges() {
        for (text, field) in [
            (r#"{"n_synths": 9}"#, "n_synths"),
            (r#"{"n_synths": 10001}"#, "n_synths"),
            (r#"{"n_executions": 1001}"#, "n_executions"),
            (r#"{"sigma": 0.51}"#, "sigma"),
            (r#"{"sigma": -0.1}"#, "sigma"),
        ] {
            let error = config(text).check().unwrap_err();
            assert!(
                matches!(error, AnalysisError::OutOfRange { field: f, .. } if f == field),
                "{text}: {error}"
            );
        }
        assert_eq!(
            config(r#"{"n_synths": 10, "n_executions": 1000, "sigma": 0.5}"#).check(),
            Ok(())
        );
    }

    #[test]
    fn rates_sum_up_to_one() {
        let rates = |a, b, c| Rates {
            did_not_try_rate: a,
            failed_rate: b,
            success_rate: c,
        };
        assert_eq!(rates(0.2, 0.3, 0.5).check(), Ok(()));
        assert_eq!(rates(0.2, 0.3, 0.508).check(), Ok(()));
        assert_eq!(rates(0.2, 0.3, 0.52).check(), Err(AnalysisError::RatesSum));
        assert!(matches!(
            rates(-0.1, 0.6, 0.5).check(),
            Err(AnalysisError::OutOfRange {
                field: "did_not_try_rate",
                ..
            })
        ));
        assert!(rates(0.0, 1.0, f64::NAN).check().is_err());
    }

    #[test]
    fn only_a_run_that_waits_or_has_failed_may_start() {
        use AnalysisStatus::{Completed, Failed, Pending, Running};
        for from in AnalysisStatus::ALL {
            assert!(from.may_become(Completed) && from.may_become(Failed) && !from.may_become(Pending));
        }
        assert!(Pending.may_become(Running) && Failed.may_become(Running));
        assert!(!Running.may_become(Running) && !Completed.may_become(Running));
    }
}
