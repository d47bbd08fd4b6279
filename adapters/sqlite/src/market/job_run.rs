//! Runs of the jobs.

use async_trait::async_trait;
use cutover_domain::market::job_run::{Job, JobEnd, JobRun, JobStart};
use cutover_domain::stored::{Stored, TextEnum as _};
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::market::{Claim, JobRunRepository};
use rusqlite::params;

use crate::Database;
use crate::row::Columns;

/// [`JobRunRepository`] on SQLite. Times are ISO text of one length, so that their byte order is time order.
#[derive(Debug, Clone)]
pub struct SqliteJobRunRepository {
    db: Database,
}

impl SqliteJobRunRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row.
fn run_from_row(columns: &mut Columns<'_>) -> StoreResult<JobRun> {
    Ok(JobRun {
        id: columns.integer()?.known().copied().unwrap_or_default(),
        job: columns.text_enum()?,
        scheduled_at: columns.time()?,
        trigger: columns.text_enum()?,
        target_day: columns.day()?,
        started_at: columns.time()?,
        ended_at: columns.opt_time()?,
        outcome: columns.opt_text_enum()?,
        error: columns.opt_text()?,
        price: columns.opt_real()?,
        is_fallback: columns.opt_bool()?,
        rows_daily_predictions: columns.integer()?,
        rows_price_logs: columns.integer()?,
        rows_ai_predictions: columns.integer()?,
        instance: columns.text()?,
    })
}

fn known_time(columns: &mut Columns<'_>) -> StoreResult<Option<Timestamp>> {
    Ok(columns.opt_time()?.as_ref().and_then(Stored::known).copied())
}

/// A count for a column.
fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[async_trait]
impl JobRunRepository for SqliteJobRunRepository {
    async fn claim(&self, start: &JobStart, dead_before: Timestamp) -> StoreResult<Claim> {
        const SQL: &str =
            "INSERT INTO job_runs (job, scheduled_at, triggered_by, target_date, started_at, instance)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (job, scheduled_at) DO UPDATE SET triggered_by = excluded.triggered_by,
                started_at = excluded.started_at, instance = excluded.instance
            WHERE job_runs.ended_at IS NULL AND job_runs.started_at < ?7";
        let start = start.clone();
        self.db
            .write("job_runs.claim", move |session| {
                let changed = session.execute(
                    SQL,
                    params![
                        start.job.as_str(),
                        start.scheduled_at.to_iso(),
                        start.trigger.as_str(),
                        start.target_day.to_string(),
                        start.started_at.to_iso(),
                        start.instance,
                        dead_before.to_iso(),
                    ],
                )?;
                Ok(if changed == 0 { Claim::Taken } else { Claim::Won })
            })
            .await
    }

    async fn finish(&self, start: &JobStart, end: &JobEnd) -> StoreResult<bool> {
        const SQL: &str =
            "UPDATE job_runs SET ended_at = ?4, outcome = ?5, error = ?6, price = ?7, is_fallback = ?8,
                rows_daily_predictions = ?9, rows_price_logs = ?10, rows_ai_predictions = ?11
            WHERE job = ?1 AND scheduled_at = ?2 AND instance = ?3 AND ended_at IS NULL";
        let (start, end) = (start.clone(), end.clone());
        self.db
            .write("job_runs.finish", move |session| {
                let changed = session.execute(
                    SQL,
                    params![
                        start.job.as_str(),
                        start.scheduled_at.to_iso(),
                        start.instance,
                        end.ended_at.to_iso(),
                        end.outcome.as_str(),
                        end.error,
                        end.price,
                        end.is_fallback,
                        rows(end.rows.daily_predictions),
                        rows(end.rows.price_logs),
                        rows(end.rows.ai_predictions),
                    ],
                )?;
                Ok(changed == 1)
            })
            .await
    }

    async fn latest_scheduled(&self, job: Job, until: Timestamp) -> StoreResult<Option<Timestamp>> {
        const SQL: &str = "SELECT max(scheduled_at) FROM job_runs
            WHERE job = ?1 AND scheduled_at <= ?2 AND triggered_by NOT IN ('manual', 'warm_up')";
        self.db
            .read("job_runs.latest_scheduled", move |session| {
                let row = params![job.as_str(), until.to_iso()];
                Ok(session.query_opt(SQL, row, known_time)?.flatten())
            })
            .await
    }

    async fn abandoned(&self, job: Job, dead_before: Timestamp) -> StoreResult<Vec<Timestamp>> {
        const SQL: &str = "SELECT scheduled_at FROM job_runs
            WHERE job = ?1 AND ended_at IS NULL AND started_at < ?2 ORDER BY scheduled_at";
        self.db
            .read("job_runs.abandoned", move |session| {
                let found = session.query(SQL, params![job.as_str(), dead_before.to_iso()], known_time)?;
                Ok(found.into_iter().flatten().collect())
            })
            .await
    }

    async fn list(&self, job: Option<Job>, limit: u32) -> StoreResult<Vec<JobRun>> {
        const SQL: &str =
            "SELECT id, job, scheduled_at, triggered_by, target_date, started_at, ended_at, outcome, error,
                price, is_fallback, rows_daily_predictions, rows_price_logs, rows_ai_predictions, instance
            FROM job_runs WHERE ?1 IS NULL OR job = ?1 ORDER BY scheduled_at DESC, id DESC LIMIT ?2";
        let job = job.map(|job| job.as_str());
        self.db
            .read("job_runs.list", move |session| {
                session.query(SQL, params![job, limit], run_from_row)
            })
            .await
    }
}
