//! synth-lab's files. The original tells its versions apart by the objects in them; its own start-up code brings files
//! from version 7 on to version 15 by adding what is missing.

use super::{Legacy, Objects, Original, has_column};

/// Of the context `lab`.
pub(super) const ORIGINAL: (&str, Original) = (
    "lab",
    Original {
        name: "synth-lab",
        legacy: Legacy {
            missing_columns: &[("research_executions", "additional_context")],
            missing_checks: &[("experiments", "status")],
            extra_indexes: &["idx_experiments_status"],
            ..Legacy::NONE
        },
        core: &[
            "analysis_runs",
            "experiments",
            "feature_scorecards",
            "region_analyses",
            "research_executions",
            "simulation_runs",
            "synth_groups",
            "synth_outcomes",
            "synths",
            "transcripts",
        ],
        // Added by the original's own start-up code, or its one loose script.
        added_columns: &[
            ("experiments", "status", "TEXT NOT NULL DEFAULT 'active'"),
            ("analysis_runs", "scenario_id", "TEXT NOT NULL DEFAULT 'baseline'"),
            ("scenario_nodes", "short_action", "TEXT"),
            ("research_executions", "additional_context", "TEXT"),
        ],
        too_old,
        version: version_of,
        broken: &[],
    },
);

/// Versions 1 to 6 hold their data in other tables and columns, which the original itself cannot upgrade.
fn too_old(found: &Objects) -> Option<(&'static str, &'static str)> {
    let has = |table: &str| found.contains_key(table);
    let column = |table: &str, column: &str| has_column(found, table, column);
    if !has("synths") || !has("research_executions") || has("analysis_runs") {
        return None;
    }
    let version = if has("experiments") || has("synth_groups") {
        "version 6"
    } else if column("synth_outcomes", "simulation_id") || has("feature_scorecards") {
        "version 5"
    } else if column("research_executions", "summary_path") || column("prfaq_metadata", "markdown_path") {
        "version 1"
    } else if has("schema_migrations") || !column("synths", "data") {
        "version 2 or 3"
    } else {
        "version 4"
    };
    Some((version, "version 7"))
}

/// The newest version whose objects are there.
fn version_of(found: &Objects) -> String {
    let has = |table: &str| found.contains_key(table);
    let column = |table: &str, column: &str| has_column(found, table, column);
    let version = if has("experiment_documents") {
        15
    } else if column("scenario_nodes", "short_action") {
        14
    } else if has("explorations") {
        13
    } else if has("analysis_cache") {
        12
    } else if column("analysis_runs", "scenario_id") {
        11
    } else if column("experiments", "status") {
        10
    } else if has("chart_insights") || has("sensitivity_results") {
        9
    } else if has("interview_guide") {
        8
    } else {
        7
    };
    format!("a version {version} file of synth-lab")
}
