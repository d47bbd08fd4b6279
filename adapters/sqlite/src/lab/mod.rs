//! The lab's repositories on SQLite, one file each.

pub mod analysis_cache;
pub mod analysis_run;
pub mod experiment;
pub mod synth;
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
        experiments: Arc::new(experiment::SqliteExperimentRepository::new(db.clone())),
        synth_groups: Arc::new(synth_group::SqliteSynthGroupRepository::new(db.clone())),
        synth_outcomes: Arc::new(synth_outcome::SqliteSynthOutcomeRepository::new(db.clone())),
        synths: Arc::new(synth::SqliteSynthRepository::new(db.clone())),
    }
}
