//! rusqlite as one would use it by hand: cached statements inside `spawn_blocking`. Each task reads through a
//! connection of its own, and all write through one, as SQLite has one writer.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cutover_domain::json::Json;
use cutover_domain::lab::experiment::Experiment;
use cutover_domain::lab::synth::{Synth, SynthSummary};
use cutover_domain::lab::synth_outcome::SynthOutcome;
use cutover_domain::stored::{Stored, TextEnum};
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_ports::Page;
use rusqlite::{Connection, Row, params};

use crate::{PAGE, Side, Work};

struct Bare {
    reader: Arc<Mutex<Connection>>,
    writer: Arc<Mutex<Connection>>,
}

pub(crate) fn sides(path: &Path, tasks: usize) -> Vec<Arc<dyn Side>> {
    let writer = open(path);
    (0..tasks)
        .map(|_| {
            Arc::new(Bare {
                reader: open(path),
                writer: Arc::clone(&writer),
            }) as Arc<dyn Side>
        })
        .collect()
}

fn open(path: &Path) -> Arc<Mutex<Connection>> {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        )
        .unwrap();
    Arc::new(Mutex::new(connection))
}

/// Runs `work` on a blocking thread.
fn blocking<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Work<T> {
    let connection = Arc::clone(connection);
    Box::pin(async move {
        tokio::task::spawn_blocking(move || work(&connection.lock().unwrap()).unwrap())
            .await
            .unwrap()
    })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<SynthSummary> {
    let created_at = row.get_ref(6)?.as_str()?;
    Ok(SynthSummary {
        id: row.get(0)?,
        synth_group_id: row.get(1)?,
        nome: row.get(2)?,
        descricao: row.get(3)?,
        link_photo: row.get(4)?,
        avatar_path: row.get(5)?,
        created_at: Stored::Known(Timestamp::parse(created_at, &LegacyZone::utc()).unwrap()),
        version: row.get(7)?,
    })
}

impl Side for Bare {
    fn get(&self, id: String) -> Work<Option<Synth>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id = ?1";
        blocking(&self.reader, move |connection| {
            let mut statement = connection.prepare_cached(SQL)?;
            let mut rows = statement.query([id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let data: Option<String> = row.get(8)?;
            Ok(Some(Synth {
                summary: summary(row)?,
                data: data.map(Json::from_trusted),
            }))
        })
    }

    fn page(&self) -> Work<Page<SynthSummary>> {
        const SQL: &str = "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
            FROM synths ORDER BY CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id LIMIT ?1 OFFSET ?2";
        const COUNT: &str = "SELECT count(*) FROM synths";
        blocking(&self.reader, |connection| {
            let total: i64 = connection
                .prepare_cached(COUNT)?
                .query_row([], |row| row.get(0))?;
            let mut statement = connection.prepare_cached(SQL)?;
            let offset = i64::try_from(PAGE.offset).unwrap();
            let items = statement
                .query_map(params![PAGE.limit, offset], summary)?
                .collect::<Result<_, _>>()?;
            Ok(Page {
                items,
                total: u64::try_from(total).unwrap(),
            })
        })
    }

    fn insert(&self, new: Experiment) -> Work<()> {
        const SQL: &str = "INSERT INTO experiments
            (id, name, hypothesis, description, scorecard_data, status, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        blocking(&self.writer, move |connection| {
            let mut statement = connection.prepare_cached(SQL)?;
            let row = params![
                new.id,
                new.name,
                new.hypothesis,
                new.description,
                new.scorecard_data.as_ref().map(Json::as_str),
                new.status.known().map(|status| status.as_str()),
                new.created_at.known().map(|time| time.to_iso()),
                new.updated_at
                    .as_ref()
                    .and_then(Stored::known)
                    .map(|time| time.to_iso()),
            ];
            statement.execute(row).map(drop)
        })
    }

    fn batch(&self, outcomes: Vec<SynthOutcome>) -> Work<()> {
        const SQL: &str = "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        blocking(&self.writer, move |connection| {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            {
                let mut statement = connection.prepare_cached(SQL)?;
                for outcome in &outcomes {
                    statement.execute(params![
                        outcome.id,
                        outcome.analysis_id,
                        outcome.synth_id,
                        outcome.did_not_try_rate.known(),
                        outcome.failed_rate.known(),
                        outcome.success_rate.known(),
                        outcome.synth_attributes.as_ref().map(Json::as_str),
                    ])?;
                }
            }
            connection.prepare_cached("COMMIT")?.execute([]).map(drop)
        })
    }
}
