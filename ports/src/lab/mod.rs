//! The repositories of synth-lab, one file each.

pub mod analysis_cache;
pub mod analysis_run;
pub mod experiment;
pub mod synth;
pub mod synth_group;
pub mod synth_outcome;

pub use analysis_cache::AnalysisCacheRepository;
#[cfg(feature = "mock")]
pub use analysis_cache::MockAnalysisCacheRepository;
#[cfg(feature = "mock")]
pub use analysis_run::MockAnalysisRunRepository;
pub use analysis_run::{AnalysisRunRepository, Replacement};
pub use experiment::ExperimentRepository;
#[cfg(feature = "mock")]
pub use experiment::MockExperimentRepository;
#[cfg(feature = "mock")]
pub use synth::MockSynthRepository;
pub use synth::SynthRepository;
#[cfg(feature = "mock")]
pub use synth_group::MockSynthGroupRepository;
pub use synth_group::SynthGroupRepository;
#[cfg(feature = "mock")]
pub use synth_outcome::MockSynthOutcomeRepository;
pub use synth_outcome::SynthOutcomeRepository;

use std::sync::Arc;

/// The lab's repositories, each on whatever backend routing chose for it.
#[derive(Clone)]
pub struct LabRepositories {
    /// Cached analysis results.
    pub analysis_cache: Arc<dyn AnalysisCacheRepository>,
    /// Analysis runs.
    pub analysis_runs: Arc<dyn AnalysisRunRepository>,
    /// Experiments.
    pub experiments: Arc<dyn ExperimentRepository>,
    /// Groups of synths.
    pub synth_groups: Arc<dyn SynthGroupRepository>,
    /// Synth outcomes.
    pub synth_outcomes: Arc<dyn SynthOutcomeRepository>,
    /// Synths.
    pub synths: Arc<dyn SynthRepository>,
}

impl std::fmt::Debug for LabRepositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabRepositories").finish_non_exhaustive()
    }
}
