//! Runs of the legacy simulation, and the shadows that carry their outcomes.
//!
//! Outcomes belong to analysis runs. A simulation has an experiment and an analysis run of its own for them, its
//! shadows, whose ids share the end of its id.

use serde::{Deserialize, Serialize};

use super::analysis_run::{AnalysisProgress, AnalysisRun, AnalysisStatus, Rates};
use super::experiment::{Experiment, ExperimentStatus};
use crate::json::{Json, JsonError};
use crate::stored::Stored;
use crate::time::Timestamp;

/// How a simulation's id begins.
pub const SIMULATION_PREFIX: &str = "sim_";
/// The hypothesis of every shadow experiment.
pub const SHADOW_HYPOTHESIS: &str = "Auto-generated from simulation";

/// A run of the legacy simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationRun {
    /// `sim_` and eight letters or digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The scorecard it tries.
    pub scorecard_id: String,
    /// `baseline`, `crisis` or `first-use` by convention.
    pub scenario_id: String,
    /// A [`SimulationConfig`].
    pub config: Json,
    /// How far it is.
    pub status: Stored<AnalysisStatus>,
    /// When it was started.
    pub started_at: Stored<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Stored<Timestamp>>,
    /// How many synths it covered.
    pub total_synths: Option<Stored<i64>>,
    /// [`SimulationRates`] over all synths.
    pub aggregated_outcomes: Option<Json>,
    /// How long it took.
    pub execution_time_seconds: Option<Stored<f64>>,
}

/// Which simulations are wanted: those for which every given text is equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimulationFilter {
    /// The scorecard.
    pub scorecard_id: Option<String>,
    /// The scenario.
    pub scenario_id: Option<String>,
    /// The status as it is stored.
    pub status: Option<String>,
}

/// What a simulation is asked to do: the typed view of `simulation_runs.config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SimulationConfig {
    /// Synths, at least one.
    pub n_synths: i64,
    /// Executions for each synth, at least one.
    pub n_executions: i64,
    /// Noise, 0 to 0.5.
    pub sigma: f64,
    /// Makes the run repeatable.
    #[serde(default)]
    pub seed: Option<i64>,
}

/// The name of a number that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {range}")]
pub struct SimulationConfigError {
    /// Which number.
    pub field: &'static str,
    /// Its range in words.
    pub range: &'static str,
}

impl SimulationConfig {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), SimulationConfigError> {
        let rules = [
            ("n_synths", self.n_synths >= 1, "at least 1"),
            ("n_executions", self.n_executions >= 1, "at least 1"),
            ("sigma", (0.0..=0.5).contains(&self.sigma), "from 0 to 0.5"),
        ];
        match rules.into_iter().find(|(_, kept, _)| !kept) {
            Some((field, _, range)) => Err(SimulationConfigError { field, range }),
            None => Ok(()),
        }
    }

    /// The document as the original application spells it.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        Ok(Json::from_value(&serde_json::to_value(self)?))
    }
}

/// How synths fared, under the names that simulations use: the typed view of `simulation_runs.aggregated_outcomes`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SimulationRates {
    /// The share that did not try.
    pub did_not_try: f64,
    /// The share that tried and failed.
    pub failed: f64,
    /// The share that succeeded.
    pub success: f64,
}

impl From<SimulationRates> for Rates {
    fn from(rates: SimulationRates) -> Self {
        Self {
            did_not_try_rate: rates.did_not_try,
            failed_rate: rates.failed,
            success_rate: rates.success,
        }
    }
}

impl SimulationRun {
    /// The rates over all synths under the names of an analysis, if they are known and readable.
    pub fn rates(&self) -> Option<Rates> {
        let document = self.aggregated_outcomes.as_ref()?;
        document.view::<SimulationRates>().ok().map(Rates::from)
    }

    /// The experiment that stands for this simulation, made at `created_at`.
    pub fn shadow_experiment(&self, created_at: Timestamp) -> Experiment {
        Experiment {
            id: shadow_experiment_id(&self.id),
            name: format!("Simulation {}", self.id),
            hypothesis: SHADOW_HYPOTHESIS.to_owned(),
            description: None,
            scorecard_data: None,
            status: ExperimentStatus::Active.into(),
            created_at: created_at.into(),
            updated_at: None,
        }
    }

    /// The analysis run that carries this simulation's outcomes, as far as the simulation is.
    pub fn shadow_run(&self) -> AnalysisRun {
        AnalysisRun {
            id: shadow_run_id(&self.id),
            experiment_id: shadow_experiment_id(&self.id),
            scenario_id: self.scenario_id.clone(),
            config: self.config.clone(),
            status: self.status.clone(),
            started_at: self.started_at.clone(),
            completed_at: self.completed_at.clone(),
            total_synths: self.total_synths.clone(),
            aggregated_outcomes: self.rates().and_then(rates_document),
            execution_time_seconds: self.execution_time_seconds.clone(),
        }
    }

    /// What brings the shadow run as far as the simulation is, or `None` if the status is none that an analysis has.
    pub fn shadow_progress(&self) -> Option<AnalysisProgress> {
        Some(AnalysisProgress {
            status: *self.status.known()?,
            completed_at: known(self.completed_at.as_ref()),
            total_synths: known(self.total_synths.as_ref()),
            aggregated_outcomes: self.rates().and_then(rates_document),
            execution_time_seconds: known(self.execution_time_seconds.as_ref()),
        })
    }

    /// Whether `experiment` may be this simulation's shadow: it shows its name or the shadows' hypothesis, of which a
    /// user may have changed one.
    pub fn is_shadow(&self, experiment: &Experiment) -> bool {
        experiment.hypothesis == SHADOW_HYPOTHESIS || experiment.name == format!("Simulation {}", self.id)
    }
}

fn known<T: Copy>(value: Option<&Stored<T>>) -> Option<T> {
    value.and_then(Stored::known).copied()
}

/// Rates that came out of a document go into one again; NaN, which none can hold, is left out.
fn rates_document(rates: Rates) -> Option<Json> {
    serde_json::to_value(rates).ok().as_ref().map(Json::from_value)
}

/// The id of the analysis run that carries the outcomes of simulation `id`.
pub fn shadow_run_id(id: &str) -> String {
    id.replace(SIMULATION_PREFIX, "ana_")
}

/// The id of the experiment that stands for simulation `id`.
pub fn shadow_experiment_id(id: &str) -> String {
    format!("exp_{}", id.strip_prefix(SIMULATION_PREFIX).unwrap_or(id))
}

/// Whether `id` is `sim_` and eight letters or digits.
pub fn is_simulation_id(id: &str) -> bool {
    id.strip_prefix(SIMULATION_PREFIX)
        .is_some_and(super::scorecard::is_scorecard_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> SimulationRun {
        let at = Timestamp::from_micros(1_767_268_800_000_000).unwrap();
        SimulationRun {
            id: "sim_0a1b2c3d".to_owned(),
            scorecard_id: "Ab12cd34".to_owned(),
            scenario_id: "crisis".to_owned(),
            config: Json::parse(r#"{"n_synths": 3, "n_executions": 1, "sigma": 0.05, "seed": null}"#)
                .unwrap(),
            status: AnalysisStatus::Completed.into(),
            started_at: at.into(),
            completed_at: Some(at.into()),
            total_synths: Some(3.into()),
            aggregated_outcomes: Some(
                Json::parse(r#"{"did_not_try": 0.25, "failed": 0.25, "success": 0.5}"#).unwrap(),
            ),
            execution_time_seconds: Some(1.5.into()),
        }
    }

    #[test]
    fn shadows_share_the_end_of_the_id() {
        assert_eq!(shadow_run_id("sim_0a1b2c3d"), "ana_0a1b2c3d");
        assert_eq!(shadow_experiment_id("sim_0a1b2c3d"), "exp_0a1b2c3d");
        assert_eq!(shadow_run_id("odd"), "odd");
        assert!(
            is_simulation_id("sim_0A1B2C3z") && !is_simulation_id("sim_0a1b2c3") && !is_simulation_id("odd")
        );
    }

    #[test]
    fn the_shadow_run_is_as_far_as_the_simulation() {
        let shadow = run().shadow_run();
        assert_eq!(
            (shadow.id.as_str(), shadow.experiment_id.as_str()),
            ("ana_0a1b2c3d", "exp_0a1b2c3d")
        );
        assert_eq!(shadow.config, run().config);
        assert_eq!(shadow.status, Stored::Known(AnalysisStatus::Completed));
        let rates =
            Json::parse(r#"{"did_not_try_rate": 0.25, "failed_rate": 0.25, "success_rate": 0.5}"#).unwrap();
        assert_eq!(shadow.aggregated_outcomes, Some(rates.clone()));
        let progress = run().shadow_progress().unwrap();
        assert_eq!(progress.aggregated_outcomes, Some(rates));
        assert_eq!(
            (progress.total_synths, progress.execution_time_seconds),
            (Some(3), Some(1.5))
        );
    }

    #[test]
    fn outcomes_that_cannot_be_read_are_left_out() {
        let odd = SimulationRun {
            aggregated_outcomes: Some(Json::parse(r#"{"success": 0.5}"#).unwrap()),
            ..run()
        };
        assert_eq!(odd.shadow_run().aggregated_outcomes, None);
    }

    #[test]
    fn a_shadow_is_known_by_its_name_or_its_hypothesis() {
        let shadow = run().shadow_experiment(Timestamp::from_micros(0).unwrap());
        assert!(run().is_shadow(&shadow));
        let renamed = Experiment {
            name: "Busca".to_owned(),
            ..shadow
        };
        assert!(run().is_shadow(&renamed));
        let foreign = Experiment {
            hypothesis: "people find it".to_owned(),
            ..renamed
        };
        assert!(!run().is_shadow(&foreign));
    }

    #[test]
    fn configuration_has_ranges() {
        let config = |n_synths, n_executions, sigma| SimulationConfig {
            n_synths,
            n_executions,
            sigma,
            seed: None,
        };
        assert_eq!(config(1, 1, 0.5).check(), Ok(()));
        assert_eq!(config(0, 1, 0.0).check().unwrap_err().field, "n_synths");
        assert_eq!(config(1, 0, 0.0).check().unwrap_err().field, "n_executions");
        assert_eq!(config(1, 1, 0.51).check().unwrap_err().field, "sigma");
        assert_eq!(config(1, 1, f64::NAN).check().unwrap_err().field, "sigma");
        assert_eq!(
            config(500, 100, 0.05).to_json().unwrap().as_str(),
            r#"{"n_synths": 500, "n_executions": 100, "sigma": 0.05, "seed": null}"#
        );
    }
}
