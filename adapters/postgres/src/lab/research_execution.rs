//! Research executions and their transcripts.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ExecutionProgress, ExecutionSort, ResearchExecution, Transcript, TranscriptSummary,
    interview_topic,
};
use cutover_domain::lab::synth::SortDirection;
use cutover_domain::stored::TextEnum;
use cutover_ports::lab::ResearchExecutionRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, opt_known, opt_pg_json, opt_pg_time, pg_enum, pg_time};
use crate::types::PgTime;

const TABLE: &str = "research_executions";
const TRANSCRIPTS: &str = "transcripts";

/// [`ResearchExecutionRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgResearchExecutionRepository {
    db: Database,
}

impl PgResearchExecutionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count, model, max_turns,
/// started_at, completed_at, additional_context`.
fn execution_from_row(row: &Row) -> StoreResult<ResearchExecution> {
    let mut columns = Columns::new(TABLE, row);
    Ok(ResearchExecution {
        exec_id: columns.text()?,
        experiment_id: columns.opt_text()?,
        topic_name: columns.text()?,
        status: columns.text_enum()?,
        synth_count: columns.integer()?,
        successful_count: columns.opt_integer()?,
        failed_count: columns.opt_integer()?,
        model: columns.opt_text()?,
        max_turns: columns.opt_integer()?,
        started_at: columns.time()?,
        completed_at: columns.opt_time()?,
        additional_context: columns.opt_text()?,
    })
}

/// Reads `synth_id, synth_name, status, turn_count, timestamp`.
fn summary_from_columns(columns: &mut Columns<'_>) -> StoreResult<TranscriptSummary> {
    Ok(TranscriptSummary {
        synth_id: columns.text()?,
        synth_name: columns.text()?,
        status: columns.text()?,
        turn_count: columns.opt_integer()?,
        timestamp: columns.time()?,
    })
}

fn summary_from_row(row: &Row) -> StoreResult<TranscriptSummary> {
    summary_from_columns(&mut Columns::new(TRANSCRIPTS, row))
}

/// Reads `id, exec_id`, a summary's columns, then `messages`.
fn transcript_from_row(row: &Row) -> StoreResult<Transcript> {
    let mut columns = Columns::new(TRANSCRIPTS, row);
    Ok(Transcript {
        id: columns.opt_text()?,
        exec_id: columns.text()?,
        summary: summary_from_columns(&mut columns)?,
        messages: columns.opt_json()?,
    })
}

/// A page in one order.
macro_rules! page_by {
    ($order:literal) => {
        concat!(
            "SELECT exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count,
                model, max_turns, started_at, completed_at, additional_context
            FROM research_executions ORDER BY ",
            $order,
            ", exec_id LIMIT $1 OFFSET $2"
        )
    };
}

/// The page in the order wanted. No text from outside becomes SQL.
fn page_in_order(order: ExecutionOrder) -> &'static str {
    use SortDirection::{Ascending, Descending};
    match (order.sort, order.direction) {
        (ExecutionSort::ExecId, Ascending) => page_by!("exec_id"),
        (ExecutionSort::ExecId, Descending) => page_by!("exec_id DESC"),
        (ExecutionSort::ExperimentId, Ascending) => page_by!("experiment_id NULLS FIRST"),
        (ExecutionSort::ExperimentId, Descending) => page_by!("experiment_id DESC NULLS LAST"),
        (ExecutionSort::TopicName, Ascending) => page_by!("topic_name"),
        (ExecutionSort::TopicName, Descending) => page_by!("topic_name DESC"),
        (ExecutionSort::Status, Ascending) => page_by!("status"),
        (ExecutionSort::Status, Descending) => page_by!("status DESC"),
        (ExecutionSort::SynthCount, Ascending) => page_by!("synth_count"),
        (ExecutionSort::SynthCount, Descending) => page_by!("synth_count DESC"),
        (ExecutionSort::SuccessfulCount, Ascending) => page_by!("successful_count NULLS FIRST"),
        (ExecutionSort::SuccessfulCount, Descending) => page_by!("successful_count DESC NULLS LAST"),
        (ExecutionSort::FailedCount, Ascending) => page_by!("failed_count NULLS FIRST"),
        (ExecutionSort::FailedCount, Descending) => page_by!("failed_count DESC NULLS LAST"),
        (ExecutionSort::Model, Ascending) => page_by!("model NULLS FIRST"),
        (ExecutionSort::Model, Descending) => page_by!("model DESC NULLS LAST"),
        (ExecutionSort::MaxTurns, Ascending) => page_by!("max_turns NULLS FIRST"),
        (ExecutionSort::MaxTurns, Descending) => page_by!("max_turns DESC NULLS LAST"),
        (ExecutionSort::StartedAt, Ascending) => page_by!("started_at"),
        (ExecutionSort::StartedAt, Descending) => page_by!("started_at DESC"),
        (ExecutionSort::CompletedAt, Ascending) => page_by!("completed_at NULLS FIRST"),
        (ExecutionSort::CompletedAt, Descending) => page_by!("completed_at DESC NULLS LAST"),
    }
}

#[async_trait]
impl ResearchExecutionRepository for PgResearchExecutionRepository {
    async fn insert(&self, execution: &ResearchExecution) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO research_executions (exec_id, experiment_id, topic_name, status,
                synth_count, successful_count, failed_count, model, max_turns, started_at, completed_at,
                additional_context)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let parent = execution.experiment_id.as_deref().map(|id| ("experiments", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let status = pg_enum("research_executions.status", &execution.status)?;
        let synth_count = known("research_executions.synth_count", &execution.synth_count)?;
        let successful_count = opt_known(
            "research_executions.successful_count",
            execution.successful_count.as_ref(),
        )?;
        let failed_count = opt_known(
            "research_executions.failed_count",
            execution.failed_count.as_ref(),
        )?;
        let max_turns = opt_known("research_executions.max_turns", execution.max_turns.as_ref())?;
        let started_at = pg_time("research_executions.started_at", &execution.started_at)?;
        let completed_at = opt_pg_time(
            "research_executions.completed_at",
            execution.completed_at.as_ref(),
        )?;
        let lease = self.db.lease("research_executions.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&execution.exec_id, Type::TEXT),
                    (&execution.experiment_id, Type::TEXT),
                    (&execution.topic_name, Type::TEXT),
                    (&status, Type::TEXT),
                    (&synth_count, Type::INT8),
                    (&successful_count, Type::INT8),
                    (&failed_count, Type::INT8),
                    (&execution.model, Type::TEXT),
                    (&max_turns, Type::INT8),
                    (&started_at, Type::TIMESTAMPTZ),
                    (&completed_at, Type::TIMESTAMPTZ),
                    (&execution.additional_context, Type::TEXT),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, exec_id: &str) -> StoreResult<Option<ResearchExecution>> {
        const SQL: &str =
            "SELECT exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count,
                model, max_turns, started_at, completed_at, additional_context
            FROM research_executions WHERE exec_id = $1";
        let lease = self.db.look_up("research_executions.get");
        let row = lease.query_opt(SQL, &[(&exec_id, Type::TEXT)]).await?;
        row.as_ref().map(execution_from_row).transpose()
    }

    async fn list(&self, order: ExecutionOrder, page: PageRequest) -> StoreResult<Page<ResearchExecution>> {
        const COUNT: &str = "SELECT count(*) FROM research_executions";
        self.db
            .lease("research_executions.list")
            .await?
            .page(page_in_order(order), COUNT, &[], page, execution_from_row)
            .await
    }

    async fn newest_by_experiment(
        &self,
        experiment_id: &str,
        limit: u32,
    ) -> StoreResult<Vec<ResearchExecution>> {
        const SQL: &str =
            "SELECT exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count,
                model, max_turns, started_at, completed_at, additional_context
            FROM research_executions WHERE experiment_id = $1
            ORDER BY started_at DESC, exec_id LIMIT $2";
        let limit = i64::from(limit);
        let lease = self.db.look_up("research_executions.newest_by_experiment");
        let rows = lease
            .query(SQL, &[(&experiment_id, Type::TEXT), (&limit, Type::INT8)])
            .await?;
        rows.iter().map(execution_from_row).collect()
    }

    async fn latest_automatic(&self, experiment_id: &str) -> StoreResult<Option<ResearchExecution>> {
        const SQL: &str =
            "SELECT exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count,
                model, max_turns, started_at, completed_at, additional_context
            FROM research_executions WHERE experiment_id = $1 AND starts_with(topic_name, $2)
            ORDER BY started_at DESC, exec_id LIMIT 1";
        let topic = interview_topic(experiment_id, true);
        let lease = self.db.lease("research_executions.latest_automatic").await?;
        let row = lease
            .query_opt(SQL, &[(&experiment_id, Type::TEXT), (&topic, Type::TEXT)])
            .await?;
        row.as_ref().map(execution_from_row).transpose()
    }

    async fn counts_by_experiment(&self, experiment_ids: &[String]) -> StoreResult<HashMap<String, u64>> {
        const SQL: &str = "SELECT experiment_id, count(*) FROM research_executions
            WHERE experiment_id = ANY($1) GROUP BY experiment_id";
        let lease = self.db.lease("research_executions.counts_by_experiment").await?;
        let rows = lease.query(SQL, &[(&experiment_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TABLE, row);
                Ok((columns.text()?, columns.count()?))
            })
            .collect()
    }

    async fn update(&self, exec_id: &str, progress: &ExecutionProgress) -> StoreResult<bool> {
        const SQL: &str = "UPDATE research_executions SET status = $2,
                successful_count = coalesce($3, successful_count),
                failed_count = coalesce($4, failed_count), completed_at = coalesce($5, completed_at)
            WHERE exec_id = $1";
        let lease = self.db.lease("research_executions.update").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&exec_id, Type::TEXT),
                    (&progress.status.as_str(), Type::TEXT),
                    (&progress.successful_count, Type::INT8),
                    (&progress.failed_count, Type::INT8),
                    (&progress.completed_at.map(PgTime), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn with_summary(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str =
            "SELECT exec_id FROM research_executions WHERE exec_id = ANY($1) AND summary_content <> ''";
        let lease = self.db.lease("research_executions.with_summary").await?;
        let rows = lease.query(SQL, &[(&exec_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }

    async fn additional_contexts(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT exec_id, additional_context FROM research_executions
            WHERE exec_id = ANY($1) AND additional_context IS NOT NULL";
        let lease = self.db.lease("research_executions.additional_contexts").await?;
        let rows = lease.query(SQL, &[(&exec_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TABLE, row);
                Ok((columns.text()?, columns.text()?))
            })
            .collect()
    }

    async fn topics(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT exec_id, topic_name FROM research_executions WHERE exec_id = ANY($1)";
        let lease = self.db.lease("research_executions.topics").await?;
        let rows = lease.query(SQL, &[(&exec_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TABLE, row);
                Ok((columns.text()?, columns.text()?))
            })
            .collect()
    }

    async fn total_turns(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, i64>> {
        const SQL: &str = "SELECT exec_id,
                least(greatest(coalesce(sum(turn_count), 0), -9223372036854775808), 9223372036854775807)::bigint
            FROM transcripts WHERE exec_id = ANY($1) GROUP BY exec_id";
        let lease = self.db.lease("research_executions.total_turns").await?;
        let rows = lease.query(SQL, &[(&exec_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TRANSCRIPTS, row);
                Ok((columns.text()?, columns.get()?))
            })
            .collect()
    }

    async fn insert_transcript(&self, transcript: &Transcript) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO transcripts (id, exec_id, synth_id, synth_name, status, turn_count,
                timestamp, messages)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let summary = &transcript.summary;
        let turn_count = opt_known("transcripts.turn_count", summary.turn_count.as_ref())?;
        let timestamp = pg_time("transcripts.timestamp", &summary.timestamp)?;
        let lease = self.db.lease("research_executions.insert_transcript").await?;
        lease
            .execute(
                SQL,
                &[
                    (&transcript.id, Type::TEXT),
                    (&transcript.exec_id, Type::TEXT),
                    (&summary.synth_id, Type::TEXT),
                    (&summary.synth_name, Type::TEXT),
                    (&summary.status, Type::TEXT),
                    (&turn_count, Type::INT8),
                    (&timestamp, Type::TIMESTAMPTZ),
                    (&opt_pg_json(transcript.messages.as_ref()), Type::JSONB),
                ],
            )
            .await
            .map(drop)
    }

    async fn get_transcript(&self, exec_id: &str, synth_id: &str) -> StoreResult<Option<Transcript>> {
        const SQL: &str = "SELECT id, exec_id, synth_id, synth_name, status, turn_count, timestamp, messages
            FROM transcripts WHERE exec_id = $1 AND synth_id = $2";
        let lease = self.db.lease("research_executions.get_transcript").await?;
        let row = lease
            .query_opt(SQL, &[(&exec_id, Type::TEXT), (&synth_id, Type::TEXT)])
            .await?;
        row.as_ref().map(transcript_from_row).transpose()
    }

    async fn list_transcripts(
        &self,
        exec_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<TranscriptSummary>> {
        const SQL: &str = "SELECT synth_id, synth_name, status, turn_count, timestamp
            FROM transcripts WHERE exec_id = $1 ORDER BY timestamp, synth_id LIMIT $2 OFFSET $3";
        self.db
            .lease("research_executions.list_transcripts")
            .await?
            .page(
                SQL,
                COUNT_TRANSCRIPTS,
                &[(&exec_id, Type::TEXT)],
                page,
                summary_from_row,
            )
            .await
    }

    async fn read_transcripts(&self, exec_id: &str, page: PageRequest) -> StoreResult<Page<Transcript>> {
        const SQL: &str = "SELECT id, exec_id, synth_id, synth_name, status, turn_count, timestamp, messages
            FROM transcripts WHERE exec_id = $1 ORDER BY timestamp, synth_id LIMIT $2 OFFSET $3";
        self.db
            .lease("research_executions.read_transcripts")
            .await?
            .page(
                SQL,
                COUNT_TRANSCRIPTS,
                &[(&exec_id, Type::TEXT)],
                page,
                transcript_from_row,
            )
            .await
    }
}

const COUNT_TRANSCRIPTS: &str = "SELECT count(*) FROM transcripts WHERE exec_id = $1";
