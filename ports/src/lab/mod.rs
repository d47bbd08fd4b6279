//! The repositories of synth-lab, one file each.

pub mod analysis_cache;
pub mod analysis_run;
pub mod chart_insight;
pub mod experiment;
pub mod experiment_document;
pub mod exploration;
pub mod interview_guide;
pub mod prfaq;
pub mod region_analysis;
pub mod research_execution;
pub mod scorecard;
pub mod sensitivity;
pub mod simulation;
pub mod synth;
pub mod synth_group;
pub mod synth_outcome;

pub use analysis_cache::AnalysisCacheRepository;
#[cfg(feature = "mock")]
pub use analysis_cache::MockAnalysisCacheRepository;
#[cfg(feature = "mock")]
pub use analysis_run::MockAnalysisRunRepository;
pub use analysis_run::{AnalysisRunRepository, Replacement};
pub use chart_insight::ChartInsightRepository;
#[cfg(feature = "mock")]
pub use chart_insight::MockChartInsightRepository;
pub use experiment::ExperimentRepository;
#[cfg(feature = "mock")]
pub use experiment::MockExperimentRepository;
pub use experiment_document::ExperimentDocumentRepository;
#[cfg(feature = "mock")]
pub use experiment_document::MockExperimentDocumentRepository;
pub use exploration::ExplorationRepository;
#[cfg(feature = "mock")]
pub use exploration::MockExplorationRepository;
pub use interview_guide::InterviewGuideRepository;
#[cfg(feature = "mock")]
pub use interview_guide::MockInterviewGuideRepository;
#[cfg(feature = "mock")]
pub use prfaq::MockPrfaqRepository;
pub use prfaq::PrfaqRepository;
#[cfg(feature = "mock")]
pub use region_analysis::MockRegionAnalysisRepository;
pub use region_analysis::RegionAnalysisRepository;
#[cfg(feature = "mock")]
pub use research_execution::MockResearchExecutionRepository;
pub use research_execution::ResearchExecutionRepository;
#[cfg(feature = "mock")]
pub use scorecard::MockScorecardRepository;
pub use scorecard::ScorecardRepository;
#[cfg(feature = "mock")]
pub use sensitivity::MockSensitivityRepository;
pub use sensitivity::SensitivityRepository;
#[cfg(feature = "mock")]
pub use simulation::MockSimulationRepository;
pub use simulation::SimulationRepository;
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
    /// Insights into the charts of simulations.
    pub chart_insights: Arc<dyn ChartInsightRepository>,
    /// Experiment documents.
    pub experiment_documents: Arc<dyn ExperimentDocumentRepository>,
    /// Experiments.
    pub experiments: Arc<dyn ExperimentRepository>,
    /// Explorations with their scenario nodes.
    pub explorations: Arc<dyn ExplorationRepository>,
    /// Interview guides.
    pub interview_guides: Arc<dyn InterviewGuideRepository>,
    /// PR/FAQ documents.
    pub prfaqs: Arc<dyn PrfaqRepository>,
    /// Regions of simulations.
    pub region_analyses: Arc<dyn RegionAnalysisRepository>,
    /// Research executions with their transcripts.
    pub research_executions: Arc<dyn ResearchExecutionRepository>,
    /// Scorecards of features.
    pub scorecards: Arc<dyn ScorecardRepository>,
    /// Results of sensitivity studies.
    pub sensitivity_results: Arc<dyn SensitivityRepository>,
    /// Runs of the legacy simulation.
    pub simulations: Arc<dyn SimulationRepository>,
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
