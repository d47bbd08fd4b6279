//! SPY-tracker's repositories on SQLite, one file each.

pub mod ai_prediction;
pub mod baseline_model;
pub mod daily_prediction;
pub mod job_run;
pub mod model_performance;

use std::borrow::Cow;
use std::sync::Arc;

use cutover_domain::market::daily_prediction::BrokenRule;
use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_ports::market::MarketRepositories;
use cutover_ports::{StoreError, StoreResult};
use rusqlite::types::Value;

use crate::Database;
use crate::database::Session;
use crate::row::sql_value;

/// Every repository of SPY-tracker on `db`.
pub fn repositories(db: &Database) -> MarketRepositories {
    MarketRepositories {
        ai_predictions: Arc::new(ai_prediction::SqliteAiPredictionRepository::new(db.clone())),
        baseline_models: Arc::new(baseline_model::SqliteBaselineModelRepository::new(db.clone())),
        daily_predictions: Arc::new(daily_prediction::SqliteDailyPredictionRepository::new(db.clone())),
        job_runs: Arc::new(job_run::SqliteJobRunRepository::new(db.clone())),
        model_performance: Arc::new(model_performance::SqliteModelPerformanceRepository::new(
            db.clone(),
        )),
    }
}

/// A table whose older files lack some columns, or all of it.
#[derive(Debug)]
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
}

impl Table {
    /// The columns that this file lacks.
    fn missing(&self, session: &Session) -> StoreResult<Vec<&'static str>> {
        let present = session.columns(self.name)?;
        let mut columns = self.columns.iter().copied();
        // The usual case costs no allocation.
        if columns.all(|column| present.iter().any(|found| found == column)) {
            return Ok(Vec::new());
        }
        Ok(self
            .columns
            .iter()
            .copied()
            .filter(|column| !present.iter().any(|found| found == column))
            .collect())
    }

    /// `sql`, which reads FROM this table, for this file: what the file lacks is NULL, and a missing table has no rows.
    fn reading(&self, session: &Session, sql: &'static str) -> StoreResult<Cow<'static, str>> {
        let missing = self.missing(session)?;
        if missing.is_empty() {
            return Ok(Cow::Borrowed(sql));
        }
        let list: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                if missing.contains(column) {
                    format!("NULL AS \"{column}\"")
                } else {
                    format!("\"{column}\"")
                }
            })
            .collect();
        let from = format!("FROM {}", self.name);
        let rows = if missing.len() == self.columns.len() {
            "LIMIT 0"
        } else {
            &from
        };
        let source = format!("FROM (SELECT {} {rows}) AS {}", list.join(", "), self.name);
        Ok(Cow::Owned(sql.replace(&from, &source)))
    }

    /// Refuses to write where a value could not be kept.
    fn whole(&self, session: &Session) -> StoreResult<()> {
        match self.missing(session)?.first() {
            None => Ok(()),
            Some(column) => Err(StoreError::Outdated(format!(
                "the SQLite file is of an older version, without {}.{column}; run `cutover migrate up --on sqlite` first",
                self.name
            ))),
        }
    }
}

/// A broken rule as the store's error.
fn broken(table: &str, rule: BrokenRule) -> StoreError {
    StoreError::invalid(format!("{table}: {}", rule.constraint), rule.rule)
}

/// An optional truth value as 0 or 1, or what an old file held in its place.
fn opt_sql_bool(value: Option<&Stored<bool>>) -> Value {
    match value {
        None => Value::Null,
        Some(Stored::Known(value)) => Value::Integer(i64::from(*value)),
        Some(Stored::Other(other)) => sql_value(other),
    }
}

/// An optional instant in the form of SPY-tracker's files: SQLite's own, whole seconds without a zone.
fn opt_naive(session: &Session, value: Option<&Stored<Timestamp>>) -> Value {
    match value {
        None => Value::Null,
        Some(Stored::Known(time)) => Value::Text(time.to_naive(session.zone())),
        Some(Stored::Other(other)) => sql_value(other),
    }
}
