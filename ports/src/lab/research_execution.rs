//! Research executions and their transcripts.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ExecutionProgress, ResearchExecution, Transcript, TranscriptSummary,
};

use crate::{Page, PageRequest, StoreResult};

/// Rounds of interviews (`research_executions`) and what was said in them (`transcripts`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ResearchExecutionRepository: Send + Sync {
    /// Stores a new execution. A taken key is `Conflict("research_executions.exec_id")`, an experiment that does not
    /// exist `Missing("experiments")`.
    async fn insert(&self, execution: &ResearchExecution) -> StoreResult<()>;

    /// The execution, or `None`.
    async fn get(&self, exec_id: &str) -> StoreResult<Option<ResearchExecution>>;

    /// All executions in the order wanted, then by key. What is missing is least.
    async fn list(&self, order: ExecutionOrder, page: PageRequest) -> StoreResult<Page<ResearchExecution>>;

    /// The experiment's newest executions, at most so many, newest first, then by key. Those beyond are not even counted.
    async fn newest_by_experiment(
        &self,
        experiment_id: &str,
        limit: u32,
    ) -> StoreResult<Vec<ResearchExecution>>;

    /// Of the experiment's executions whose topic begins with that of its automatic interviews the newest, of equals
    /// the first by key; or `None`.
    async fn latest_automatic(&self, experiment_id: &str) -> StoreResult<Option<ResearchExecution>>;

    /// How many executions each of these experiments has; experiments without any are absent.
    async fn counts_by_experiment(&self, experiment_ids: &[String]) -> StoreResult<HashMap<String, u64>>;

    /// Sets the status and what else `progress` holds; `false` if there is no such execution. Which status may follow
    /// which is not checked here.
    async fn update(&self, exec_id: &str, progress: &ExecutionProgress) -> StoreResult<bool>;

    /// Those of these executions that hold a summary in the way of files from before experiments had documents.
    async fn with_summary(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>>;

    /// What the interviewers of these executions were told besides; executions without are absent.
    async fn additional_contexts(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>>;

    /// The topics of these executions; those that do not exist are absent.
    async fn topics(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>>;

    /// The turns of all transcripts of these executions; executions without transcripts are absent.
    async fn total_turns(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, i64>>;

    /// Stores a new transcript. A second one of an execution with a synth is
    /// `Conflict("transcripts.exec_id,synth_id")`, a taken id `Conflict("transcripts.id")`, an execution that does not
    /// exist `Missing("research_executions")`.
    async fn insert_transcript(&self, transcript: &Transcript) -> StoreResult<()>;

    /// The transcript of an execution with a synth, or `None`.
    async fn get_transcript(&self, exec_id: &str, synth_id: &str) -> StoreResult<Option<Transcript>>;

    /// The execution's transcripts without what was said, oldest first, then by synth.
    async fn list_transcripts(
        &self,
        exec_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<TranscriptSummary>>;

    /// The execution's transcripts whole, in the same order.
    async fn read_transcripts(&self, exec_id: &str, page: PageRequest) -> StoreResult<Page<Transcript>>;
}
