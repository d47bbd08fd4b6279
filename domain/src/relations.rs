//! The foreign keys of the contexts' tables: which column refers to which table, and what deleting the parent does.

/// What deleting a parent does to the rows that refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The delete is refused while such rows exist.
    Refuse,
    /// They are deleted too.
    Cascade,
    /// Their reference becomes NULL.
    SetNull,
}

/// One foreign key: `child.column` refers to the key of `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// The table that refers.
    pub child: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The table referred to.
    pub parent: &'static str,
    /// The parent's key column.
    pub parent_key: &'static str,
    /// What deleting the parent does.
    pub on_delete: OnDelete,
}

const fn relation(
    child: &'static str,
    column: &'static str,
    parent: &'static str,
    parent_key: &'static str,
    on_delete: OnDelete,
) -> Relation {
    Relation {
        child,
        column,
        parent,
        parent_key,
        on_delete,
    }
}

/// Every foreign key. The lab's are those of its schema v15; `synths.synth_group_id` is NO ACTION there, but deleting a
/// group empties the column first: that is its rule.
pub const RELATIONS: &[Relation] = &[
    relation(
        "analysis_runs",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "synth_outcomes",
        "analysis_id",
        "analysis_runs",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "synths",
        "synth_group_id",
        "synth_groups",
        "id",
        OnDelete::SetNull,
    ),
    relation(
        "research_executions",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::SetNull,
    ),
    relation(
        "transcripts",
        "exec_id",
        "research_executions",
        "exec_id",
        OnDelete::Cascade,
    ),
    relation(
        "interview_guide",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "feature_scorecards",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "simulation_runs",
        "scorecard_id",
        "feature_scorecards",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "region_analyses",
        "simulation_id",
        "simulation_runs",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "sensitivity_results",
        "simulation_id",
        "simulation_runs",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "analysis_cache",
        "analysis_id",
        "analysis_runs",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "explorations",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "explorations",
        "baseline_analysis_id",
        "analysis_runs",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "scenario_nodes",
        "exploration_id",
        "explorations",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "scenario_nodes",
        "parent_id",
        "scenario_nodes",
        "id",
        OnDelete::Refuse,
    ),
    relation(
        "experiment_documents",
        "experiment_id",
        "experiments",
        "id",
        OnDelete::Cascade,
    ),
    relation(
        "messages",
        "conversation_id",
        "conversations",
        "id",
        OnDelete::Cascade,
    ),
];

/// The relation whose constraint PostgreSQL knows as `<child>_<column>_fkey`.
pub fn by_constraint(name: &str) -> Option<&'static Relation> {
    RELATIONS.iter().find(|r| {
        name.strip_prefix(r.child)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(|rest| rest.strip_suffix("_fkey"))
            == Some(r.column)
    })
}

/// The relations whose rows refer to `parent`.
pub fn children_of(parent: &str) -> impl Iterator<Item = &'static Relation> {
    RELATIONS.iter().filter(move |r| r.parent == parent)
}
