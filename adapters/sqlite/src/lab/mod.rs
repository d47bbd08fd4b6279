//! The lab's repositories on SQLite, one file each.

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
mod synth_filter;
pub mod synth_group;
pub mod synth_outcome;

use std::sync::Arc;

use cutover_ports::lab::LabRepositories;

use crate::Database;

/// Every repository of the lab on `db`.
pub fn repositories(db: &Database) -> LabRepositories {
    LabRepositories {
        analysis_cache: Arc::new(analysis_cache::SqliteAnalysisCacheRepository::new(db.clone())),
        analysis_runs: Arc::new(analysis_run::SqliteAnalysisRunRepository::new(db.clone())),
        chart_insights: Arc::new(chart_insight::SqliteChartInsightRepository::new(db.clone())),
        experiment_documents: Arc::new(experiment_document::SqliteExperimentDocumentRepository::new(
            db.clone(),
        )),
        experiments: Arc::new(experiment::SqliteExperimentRepository::new(db.clone())),
        explorations: Arc::new(exploration::SqliteExplorationRepository::new(db.clone())),
        interview_guides: Arc::new(interview_guide::SqliteInterviewGuideRepository::new(db.clone())),
        prfaqs: Arc::new(prfaq::SqlitePrfaqRepository::new(db.clone())),
        region_analyses: Arc::new(region_analysis::SqliteRegionAnalysisRepository::new(db.clone())),
        research_executions: Arc::new(research_execution::SqliteResearchExecutionRepository::new(
            db.clone(),
        )),
        scorecards: Arc::new(scorecard::SqliteScorecardRepository::new(db.clone())),
        sensitivity_results: Arc::new(sensitivity::SqliteSensitivityRepository::new(db.clone())),
        simulations: Arc::new(simulation::SqliteSimulationRepository::new(db.clone())),
        synth_groups: Arc::new(synth_group::SqliteSynthGroupRepository::new(db.clone())),
        synth_outcomes: Arc::new(synth_outcome::SqliteSynthOutcomeRepository::new(db.clone())),
        synths: Arc::new(synth::SqliteSynthRepository::new(db.clone())),
    }
}
