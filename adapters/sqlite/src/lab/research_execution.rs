//! Research executions and their transcripts.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ExecutionProgress, ExecutionSort, ResearchExecution, Transcript, TranscriptSummary,
    interview_topic,
};
use cutover_domain::lab::synth::SortDirection;
use cutover_domain::stored::TextEnum;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::ResearchExecutionRepository;
use cutover_ports::{Page, PageRequest, StoreError, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::database::Session;
use crate::instant::{newest_first, oldest_first};
use crate::row::{Columns, json_array, opt_sql_number, opt_sql_time, sql_enum, sql_number, sql_time};

const TABLE: &str = "research_executions";

/// [`ResearchExecutionRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteResearchExecutionRepository {
    db: Database,
}

impl SqliteResearchExecutionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// The columns that [`execution_from_row`] reads. Files of schema version 7 and some of version 8 lack the last one.
fn execution_columns(session: &Session) -> StoreResult<&'static str> {
    Ok(if has_additional_context(session)? {
        "exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count, model,
        max_turns, started_at, completed_at, additional_context"
    } else {
        "exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count, model,
        max_turns, started_at, completed_at, NULL"
    })
}

fn has_additional_context(session: &Session) -> StoreResult<bool> {
    session.has_column(TABLE, "additional_context")
}

/// Reads [`execution_columns`].
fn execution_from_row(columns: &mut Columns<'_>) -> StoreResult<ResearchExecution> {
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
fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<TranscriptSummary> {
    Ok(TranscriptSummary {
        synth_id: columns.text()?,
        synth_name: columns.text()?,
        status: columns.text()?,
        turn_count: columns.opt_integer()?,
        timestamp: columns.time()?,
    })
}

/// Reads `id, exec_id`, a summary's columns, then `messages`.
fn transcript_from_row(columns: &mut Columns<'_>) -> StoreResult<Transcript> {
    Ok(Transcript {
        id: columns.opt_text()?,
        exec_id: columns.text()?,
        summary: summary_from_row(columns)?,
        messages: columns.opt_json()?,
    })
}

/// The order's terms; SQLite holds NULL to be least.
fn order_terms(order: ExecutionOrder) -> &'static str {
    use SortDirection::{Ascending, Descending};
    match (order.sort, order.direction) {
        (ExecutionSort::ExecId, Ascending) => "exec_id",
        (ExecutionSort::ExecId, Descending) => "exec_id DESC",
        (ExecutionSort::ExperimentId, Ascending) => "experiment_id",
        (ExecutionSort::ExperimentId, Descending) => "experiment_id DESC",
        (ExecutionSort::TopicName, Ascending) => "topic_name",
        (ExecutionSort::TopicName, Descending) => "topic_name DESC",
        (ExecutionSort::Status, Ascending) => "status",
        (ExecutionSort::Status, Descending) => "status DESC",
        (ExecutionSort::SynthCount, Ascending) => "synth_count",
        (ExecutionSort::SynthCount, Descending) => "synth_count DESC",
        (ExecutionSort::SuccessfulCount, Ascending) => "successful_count",
        (ExecutionSort::SuccessfulCount, Descending) => "successful_count DESC",
        (ExecutionSort::FailedCount, Ascending) => "failed_count",
        (ExecutionSort::FailedCount, Descending) => "failed_count DESC",
        (ExecutionSort::Model, Ascending) => "model",
        (ExecutionSort::Model, Descending) => "model DESC",
        (ExecutionSort::MaxTurns, Ascending) => "max_turns",
        (ExecutionSort::MaxTurns, Descending) => "max_turns DESC",
        (ExecutionSort::StartedAt, Ascending) => {
            oldest_first!("started_at")
        }
        (ExecutionSort::StartedAt, Descending) => {
            newest_first!("started_at")
        }
        (ExecutionSort::CompletedAt, Ascending) => {
            oldest_first!("completed_at")
        }
        (ExecutionSort::CompletedAt, Descending) => {
            newest_first!("completed_at")
        }
    }
}

#[async_trait]
impl ResearchExecutionRepository for SqliteResearchExecutionRepository {
    async fn insert(&self, execution: &ResearchExecution) -> StoreResult<()> {
        let parent = execution.experiment_id.as_deref().map(|id| ("experiments", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let execution = execution.clone();
        self.db
            .write("research_executions.insert", move |session| {
                insert(session, &execution)
            })
            .await
    }

    async fn get(&self, exec_id: &str) -> StoreResult<Option<ResearchExecution>> {
        let exec_id = exec_id.to_owned();
        self.db
            .look_up("research_executions.get", move |session| {
                let sql = format!(
                    "SELECT {} FROM research_executions WHERE exec_id = ?1",
                    execution_columns(session)?
                );
                session.query_opt(&sql, [&exec_id], execution_from_row)
            })
            .await
    }

    async fn list(&self, order: ExecutionOrder, page: PageRequest) -> StoreResult<Page<ResearchExecution>> {
        const COUNT: &str = "SELECT count(*) FROM research_executions";
        self.db
            .read("research_executions.list", move |session| {
                let sql = format!(
                    "SELECT {} FROM research_executions ORDER BY {}, exec_id LIMIT ?1 OFFSET ?2",
                    execution_columns(session)?,
                    order_terms(order)
                );
                session.page(&sql, COUNT, &[], page, execution_from_row)
            })
            .await
    }

    async fn newest_by_experiment(
        &self,
        experiment_id: &str,
        limit: u32,
    ) -> StoreResult<Vec<ResearchExecution>> {
        let experiment_id = experiment_id.to_owned();
        self.db
            .look_up("research_executions.newest_by_experiment", move |session| {
                let sql = format!(
                    "SELECT {} FROM research_executions WHERE experiment_id = ?1
                    ORDER BY {}, exec_id LIMIT ?2",
                    execution_columns(session)?,
                    order_terms(ExecutionOrder::default())
                );
                session.query(&sql, params![experiment_id, limit], execution_from_row)
            })
            .await
    }

    async fn latest_automatic(&self, experiment_id: &str) -> StoreResult<Option<ResearchExecution>> {
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("research_executions.latest_automatic", move |session| {
                let sql = format!(
                    "SELECT {} FROM research_executions
                    WHERE experiment_id = ?1 AND substr(topic_name, 1, length(?2)) = ?2
                    ORDER BY {}, exec_id LIMIT 1",
                    execution_columns(session)?,
                    order_terms(ExecutionOrder::default())
                );
                let topic = interview_topic(&experiment_id, true);
                session.query_opt(&sql, [experiment_id, topic], execution_from_row)
            })
            .await
    }

    async fn counts_by_experiment(&self, experiment_ids: &[String]) -> StoreResult<HashMap<String, u64>> {
        const SQL: &str = "SELECT experiment_id, count(*) FROM research_executions
            WHERE experiment_id IN (SELECT value FROM json_each(?1)) GROUP BY experiment_id";
        let ids = json_array(experiment_ids);
        let counts = self
            .db
            .read("research_executions.counts_by_experiment", move |session| {
                session.query(SQL, [ids], |columns| Ok((columns.text()?, columns.count()?)))
            })
            .await?;
        Ok(counts.into_iter().collect())
    }

    async fn update(&self, exec_id: &str, progress: &ExecutionProgress) -> StoreResult<bool> {
        const SQL: &str = "UPDATE research_executions SET status = ?2,
                successful_count = coalesce(?3, successful_count),
                failed_count = coalesce(?4, failed_count), completed_at = coalesce(?5, completed_at)
            WHERE exec_id = ?1";
        let (exec_id, progress) = (exec_id.to_owned(), progress.clone());
        self.db
            .write("research_executions.update", move |session| {
                let row = params![
                    exec_id,
                    progress.status.as_str(),
                    progress.successful_count,
                    progress.failed_count,
                    progress.completed_at.map(Timestamp::to_iso),
                ];
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn with_summary(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str = "SELECT exec_id FROM research_executions
            WHERE exec_id IN (SELECT value FROM json_each(?1)) AND summary_content <> ''";
        let ids = json_array(exec_ids);
        let found = self
            .db
            .read("research_executions.with_summary", move |session| {
                if !session.has_column(TABLE, "summary_content")? {
                    return Ok(Vec::new());
                }
                session.query(SQL, [ids], |columns| columns.text())
            })
            .await?;
        Ok(found.into_iter().collect())
    }

    async fn additional_contexts(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT exec_id, additional_context FROM research_executions
            WHERE exec_id IN (SELECT value FROM json_each(?1)) AND additional_context IS NOT NULL";
        let ids = json_array(exec_ids);
        let contexts = self
            .db
            .read("research_executions.additional_contexts", move |session| {
                if !has_additional_context(session)? {
                    return Ok(Vec::new());
                }
                session.query(SQL, [ids], |columns| Ok((columns.text()?, columns.text()?)))
            })
            .await?;
        Ok(contexts.into_iter().collect())
    }

    async fn topics(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT exec_id, topic_name FROM research_executions
            WHERE exec_id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(exec_ids);
        let topics = self
            .db
            .read("research_executions.topics", move |session| {
                session.query(SQL, [ids], |columns| Ok((columns.text()?, columns.text()?)))
            })
            .await?;
        Ok(topics.into_iter().collect())
    }

    async fn total_turns(&self, exec_ids: &[String]) -> StoreResult<HashMap<String, i64>> {
        // `sum` fails beyond 64 bits, so the halves of the numbers are summed up by themselves.
        const SQL: &str = "SELECT exec_id, coalesce(sum(turn_count >> 32), 0),
                coalesce(sum(turn_count & 0xFFFFFFFF), 0)
            FROM transcripts WHERE exec_id IN (SELECT value FROM json_each(?1)) GROUP BY exec_id";
        let ids = json_array(exec_ids);
        let sums = self
            .db
            .read("research_executions.total_turns", move |session| {
                session.query(SQL, [ids], |columns| {
                    Ok((columns.text()?, columns.integer()?, columns.integer()?))
                })
            })
            .await?;
        let half = |sum: &cutover_domain::stored::Stored<i64>| sum.known().copied().map_or(0, i128::from);
        Ok(sums
            .into_iter()
            .map(|(exec_id, high, low)| {
                let sum = (half(&high) << 32) + half(&low);
                let kept = sum.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
                (exec_id, i64::try_from(kept).unwrap_or_default())
            })
            .collect())
    }

    async fn insert_transcript(&self, transcript: &Transcript) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO transcripts (id, exec_id, synth_id, synth_name, status, turn_count,
                timestamp, messages)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let transcript = transcript.clone();
        self.db
            .write("research_executions.insert_transcript", move |session| {
                let summary = &transcript.summary;
                let row = params![
                    transcript.id,
                    transcript.exec_id,
                    summary.synth_id,
                    summary.synth_name,
                    summary.status,
                    opt_sql_number(summary.turn_count.as_ref()),
                    sql_time(&summary.timestamp),
                    transcript.messages.as_ref().map(Json::as_str),
                ];
                session
                    .execute_referring(SQL, row, &[(TABLE, "exec_id", &transcript.exec_id)])
                    .map(drop)
            })
            .await
    }

    async fn get_transcript(&self, exec_id: &str, synth_id: &str) -> StoreResult<Option<Transcript>> {
        const SQL: &str = "SELECT id, exec_id, synth_id, synth_name, status, turn_count, timestamp, messages
            FROM transcripts WHERE exec_id = ?1 AND synth_id = ?2";
        let key = [exec_id.to_owned(), synth_id.to_owned()];
        self.db
            .read("research_executions.get_transcript", move |session| {
                session.query_opt(SQL, key, transcript_from_row)
            })
            .await
    }

    async fn list_transcripts(
        &self,
        exec_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<TranscriptSummary>> {
        const SQL: &str = concat!(
            "SELECT synth_id, synth_name, status, turn_count, timestamp
            FROM transcripts WHERE exec_id = ?1
            ORDER BY ",
            oldest_first!("timestamp"),
            ", synth_id LIMIT ?2 OFFSET ?3"
        );
        let exec_id = exec_id.to_owned();
        self.db
            .read("research_executions.list_transcripts", move |session| {
                session.page(SQL, COUNT_TRANSCRIPTS, &[&exec_id], page, summary_from_row)
            })
            .await
    }

    async fn read_transcripts(&self, exec_id: &str, page: PageRequest) -> StoreResult<Page<Transcript>> {
        const SQL: &str = concat!(
            "SELECT id, exec_id, synth_id, synth_name, status, turn_count, timestamp, messages
            FROM transcripts WHERE exec_id = ?1
            ORDER BY ",
            oldest_first!("timestamp"),
            ", synth_id LIMIT ?2 OFFSET ?3"
        );
        let exec_id = exec_id.to_owned();
        self.db
            .read("research_executions.read_transcripts", move |session| {
                session.page(SQL, COUNT_TRANSCRIPTS, &[&exec_id], page, transcript_from_row)
            })
            .await
    }
}

const COUNT_TRANSCRIPTS: &str = "SELECT count(*) FROM transcripts WHERE exec_id = ?1";

fn insert(session: &Session, execution: &ResearchExecution) -> StoreResult<()> {
    const SQL: &str = "INSERT INTO research_executions (exec_id, experiment_id, topic_name, status,
            synth_count, successful_count, failed_count, model, max_turns, started_at, completed_at,
            additional_context)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    const SQL_WITHOUT_CONTEXT: &str =
        "INSERT INTO research_executions (exec_id, experiment_id, topic_name, status,
            synth_count, successful_count, failed_count, model, max_turns, started_at, completed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let mut row: Vec<rusqlite::types::Value> = vec![
        execution.exec_id.clone().into(),
        execution.experiment_id.clone().into(),
        execution.topic_name.clone().into(),
        sql_enum(&execution.status),
        sql_number(&execution.synth_count),
        opt_sql_number(execution.successful_count.as_ref()),
        opt_sql_number(execution.failed_count.as_ref()),
        execution.model.clone().into(),
        opt_sql_number(execution.max_turns.as_ref()),
        sql_time(&execution.started_at),
        opt_sql_time(execution.completed_at.as_ref()),
    ];
    let sql = if has_additional_context(session)? {
        row.push(execution.additional_context.clone().into());
        SQL
    } else if execution.additional_context.is_none() {
        SQL_WITHOUT_CONTEXT
    } else {
        return Err(StoreError::invalid(
            "research_executions.additional_context",
            "this old file has no such column; `cutover migrate up` adds it",
        ));
    };
    let parent = (
        "experiments",
        "id",
        execution.experiment_id.as_deref().unwrap_or_default(),
    );
    session
        .execute_referring(sql, rusqlite::params_from_iter(row), &[parent])
        .map(drop)
}
