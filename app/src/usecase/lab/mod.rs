//! The lab's use cases.

pub mod analyses;
pub mod documents;
pub mod experiments;
pub mod explorations;
pub mod research;
pub mod scorecards;
pub mod simulation;
pub mod synth_groups;
pub mod synths;

/// How often a taken random id is replaced by another before giving up; two in a row are already a wonder.
const ID_ATTEMPTS: usize = 5;

#[cfg(test)]
pub(crate) mod tests {
    //! Mocks of every repository, none of which expects a call.

    use std::sync::Arc;

    use cutover_ports::lab::*;

    /// A test replaces those that its use case may call; a call of any other fails it.
    pub(crate) fn mocks() -> LabRepositories {
        LabRepositories {
            analysis_cache: Arc::new(MockAnalysisCacheRepository::new()),
            analysis_runs: Arc::new(MockAnalysisRunRepository::new()),
            chart_insights: Arc::new(MockChartInsightRepository::new()),
            experiment_documents: Arc::new(MockExperimentDocumentRepository::new()),
            experiments: Arc::new(MockExperimentRepository::new()),
            explorations: Arc::new(MockExplorationRepository::new()),
            interview_guides: Arc::new(MockInterviewGuideRepository::new()),
            prfaqs: Arc::new(MockPrfaqRepository::new()),
            region_analyses: Arc::new(MockRegionAnalysisRepository::new()),
            research_executions: Arc::new(MockResearchExecutionRepository::new()),
            scorecards: Arc::new(MockScorecardRepository::new()),
            sensitivity_results: Arc::new(MockSensitivityRepository::new()),
            simulations: Arc::new(MockSimulationRepository::new()),
            synth_groups: Arc::new(MockSynthGroupRepository::new()),
            synth_outcomes: Arc::new(MockSynthOutcomeRepository::new()),
            synths: Arc::new(MockSynthRepository::new()),
        }
    }
}
