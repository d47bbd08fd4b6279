//! Runs of the jobs.

use async_trait::async_trait;
use cutover_domain::market::job_run::{Job, JobEnd, JobRun, JobStart};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::market::{Claim, JobRunRepository};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row};
use crate::types::{PgDay, PgTime};

const TABLE: &str = "job_runs";

/// [`JobRunRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgJobRunRepository {
    db: Database,
}

impl PgJobRunRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row.
fn run_from_row(row: &Row) -> StoreResult<JobRun> {
    let mut columns = Columns::new(TABLE, row);
    Ok(JobRun {
        id: columns.get()?,
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

/// A count for a column.
fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[async_trait]
impl JobRunRepository for PgJobRunRepository {
    async fn claim(&self, start: &JobStart, dead_before: Timestamp) -> StoreResult<Claim> {
        const SQL: &str =
            "INSERT INTO job_runs (job, scheduled_at, triggered_by, target_date, started_at, instance)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (job, scheduled_at) DO UPDATE SET triggered_by = excluded.triggered_by,
                started_at = excluded.started_at, instance = excluded.instance
            WHERE job_runs.ended_at IS NULL AND job_runs.started_at < $7";
        let lease = self.db.lease("job_runs.claim").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&start.job.as_str(), Type::TEXT),
                    (&PgTime(start.scheduled_at), Type::TIMESTAMPTZ),
                    (&start.trigger.as_str(), Type::TEXT),
                    (&PgDay(start.target_day), Type::DATE),
                    (&PgTime(start.started_at), Type::TIMESTAMPTZ),
                    (&start.instance, Type::TEXT),
                    (&PgTime(dead_before), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(if changed == 0 { Claim::Taken } else { Claim::Won })
    }

    async fn finish(&self, start: &JobStart, end: &JobEnd) -> StoreResult<bool> {
        const SQL: &str =
            "UPDATE job_runs SET ended_at = $4, outcome = $5, error = $6, price = $7, is_fallback = $8,
                rows_daily_predictions = $9, rows_price_logs = $10, rows_ai_predictions = $11
            WHERE job = $1 AND scheduled_at = $2 AND instance = $3 AND ended_at IS NULL";
        let lease = self.db.lease("job_runs.finish").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&start.job.as_str(), Type::TEXT),
                    (&PgTime(start.scheduled_at), Type::TIMESTAMPTZ),
                    (&start.instance, Type::TEXT),
                    (&PgTime(end.ended_at), Type::TIMESTAMPTZ),
                    (&end.outcome.as_str(), Type::TEXT),
                    (&end.error, Type::TEXT),
                    (&end.price, Type::FLOAT8),
                    (&end.is_fallback, Type::BOOL),
                    (&rows(end.rows.daily_predictions), Type::INT8),
                    (&rows(end.rows.price_logs), Type::INT8),
                    (&rows(end.rows.ai_predictions), Type::INT8),
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    async fn latest_scheduled(&self, job: Job, until: Timestamp) -> StoreResult<Option<Timestamp>> {
        const SQL: &str = "SELECT max(scheduled_at) FROM job_runs
            WHERE job = $1 AND scheduled_at <= $2 AND triggered_by NOT IN ('manual', 'warm_up')";
        let lease = self.db.lease("job_runs.latest_scheduled").await?;
        let binds = [
            (&job.as_str() as _, Type::TEXT),
            (&PgTime(until) as _, Type::TIMESTAMPTZ),
        ];
        let row = lease.query_one(SQL, &binds).await?;
        let latest: Option<PgTime> = Columns::new(TABLE, &row).get()?;
        Ok(latest.map(|time| time.0))
    }

    async fn abandoned(&self, job: Job, dead_before: Timestamp) -> StoreResult<Vec<Timestamp>> {
        const SQL: &str = "SELECT scheduled_at FROM job_runs
            WHERE job = $1 AND ended_at IS NULL AND started_at < $2 ORDER BY scheduled_at";
        let lease = self.db.lease("job_runs.abandoned").await?;
        let rows = lease
            .query(
                SQL,
                &[
                    (&job.as_str(), Type::TEXT),
                    (&PgTime(dead_before), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(Columns::new(TABLE, row).get::<PgTime>()?.0))
            .collect()
    }

    async fn list(&self, job: Option<Job>, limit: u32) -> StoreResult<Vec<JobRun>> {
        const SQL: &str =
            "SELECT id, job, scheduled_at, triggered_by, target_date, started_at, ended_at, outcome, error,
                price, is_fallback, rows_daily_predictions, rows_price_logs, rows_ai_predictions, instance
            FROM job_runs WHERE $1::text IS NULL OR job = $1 ORDER BY scheduled_at DESC, id DESC LIMIT $2";
        let job = job.map(|job| job.as_str());
        let lease = self.db.lease("job_runs.list").await?;
        let rows = lease
            .query(SQL, &[(&job, Type::TEXT), (&i64::from(limit), Type::INT8)])
            .await?;
        rows.iter().map(run_from_row).collect()
    }
}
