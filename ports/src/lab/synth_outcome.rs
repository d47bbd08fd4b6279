//! Outcomes of synths.

use async_trait::async_trait;
use cutover_domain::lab::synth_outcome::{OutcomeExtremes, OutcomeStatistics, SynthOutcome};

use crate::{Page, PageRequest, StoreResult};

/// How synths fared in analysis runs (`synth_outcomes`). An outcome is identified by its run and its synth; its id
/// may be none. The synth need not exist.
///
/// Writing an outcome of a run that does not exist is `Missing("analysis_runs")`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SynthOutcomeRepository: Send + Sync {
    /// Stores new outcomes, all or none. A run and synth that have one already, or that stand twice among the new
    /// ones, are `Conflict("synth_outcomes.analysis_id,synth_id")`, a taken id is `Conflict("synth_outcomes.id")`.
    async fn insert(&self, outcomes: &[SynthOutcome]) -> StoreResult<()>;

    /// Stores outcomes, all or none, each in place of the one that its run and synth have, id included. Of several
    /// for the same run and synth the last one stays. An id that another run or synth has is
    /// `Conflict("synth_outcomes.id")`.
    async fn save(&self, outcomes: &[SynthOutcome]) -> StoreResult<()>;

    /// The outcome with this id, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<SynthOutcome>>;

    /// The outcome of this synth in this run, or `None`.
    async fn find(&self, analysis_id: &str, synth_id: &str) -> StoreResult<Option<SynthOutcome>>;

    /// The run's outcomes by synth, those without attributes included.
    async fn list(&self, analysis_id: &str, page: PageRequest) -> StoreResult<Page<SynthOutcome>>;

    /// The ids of the runs that have an outcome of this synth, in order.
    async fn analyses_of_synth(&self, synth_id: &str) -> StoreResult<Vec<String>>;

    /// How many outcomes the run has.
    async fn count(&self, analysis_id: &str) -> StoreResult<u64>;

    /// The means over the run's outcomes, or `None` if it has none.
    async fn statistics(&self, analysis_id: &str) -> StoreResult<Option<OutcomeStatistics>>;

    /// At most `count` outcomes with the highest success rate and as many with the lowest; equals by synth.
    async fn extremes(&self, analysis_id: &str, count: u32) -> StoreResult<OutcomeExtremes>;

    /// Deletes the run's outcomes; how many there were.
    async fn delete(&self, analysis_id: &str) -> StoreResult<u64>;
}
