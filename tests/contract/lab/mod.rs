//! The lab's repositories.

use cutover_domain::time::Timestamp;
use cutover_ports::{StoreError, StoreResult};

pub(crate) mod analysis_cache;
pub(crate) mod analysis_run;
pub(crate) mod chart_insight;
pub(crate) mod experiment;
pub(crate) mod experiment_document;
pub(crate) mod exploration;
pub(crate) mod interview_guide;
pub(crate) mod prfaq;
pub(crate) mod region_analysis;
pub(crate) mod research_execution;
pub(crate) mod scorecard;
pub(crate) mod sensitivity;
pub(crate) mod simulation;
pub(crate) mod synth;
pub(crate) mod synth_group;
pub(crate) mod synth_outcome;

/// An instant of its own for each `seconds`.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000 + seconds * 1_000_000 + 123_456).unwrap()
}

/// The write was refused because of this key.
pub(crate) fn assert_conflict<T: std::fmt::Debug>(outcome: StoreResult<T>, key: &str) {
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(found) if found == key),
        "not a conflict on {key}: {error:?}"
    );
}

/// The write was refused because a row of this table does not exist.
pub(crate) fn assert_missing<T: std::fmt::Debug>(outcome: StoreResult<T>, table: &str) {
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, StoreError::Missing(found) if found == table),
        "not a missing {table}: {error:?}"
    );
}
