//! Days and their prices.

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayFields, Effect, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, TextEnum as _};
use cutover_domain::time::Timestamp;
use cutover_ports::market::{DailyPredictionRepository, DayOutcome, DayStored, Swept, TimeForm};
use cutover_ports::{StoreError, StoreResult};
use rusqlite::types::Value;
use rusqlite::{ToSql, params};

use super::{Table, broken, opt_naive, opt_sql_bool};
use crate::Database;
use crate::database::Session;
use crate::row::{Columns, opt_sql_number};

const DAYS: Table = Table {
    name: "daily_predictions",
    columns: &[
        "id",
        "date",
        "preMarket",
        "predLow",
        "predHigh",
        "bias",
        "volCtx",
        "dayType",
        "keyLevels",
        "notes",
        "open",
        "noon",
        "twoPM",
        "close",
        "realizedLow",
        "realizedHigh",
        "rangeHit",
        "absErrorToClose",
        "source",
        "locked",
        "created_at",
        "updated_at",
    ],
};

/// [`DailyPredictionRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteDailyPredictionRepository {
    db: Database,
}

impl SqliteDailyPredictionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// The columns of a day, as [`day_from_row`] reads them.
macro_rules! day_columns {
    () => {
        "id, date, \"preMarket\", \"predLow\", \"predHigh\", bias, \"volCtx\", \"dayType\",
            \"keyLevels\", notes, open, noon, \"twoPM\", close, \"realizedLow\", \"realizedHigh\",
            \"rangeHit\", \"absErrorToClose\", source, locked, created_at, updated_at"
    };
}

/// Days; what follows says which, in which order.
macro_rules! days_sql {
    ($which:literal) => {
        concat!("SELECT ", day_columns!(), " FROM daily_predictions ", $which)
    };
}

/// Reads a whole row, in the order of `DAYS`.
fn day_from_row(columns: &mut Columns<'_>) -> StoreResult<DailyPrediction> {
    Ok(DailyPrediction {
        id: columns.integer()?.known().copied().unwrap_or_default(),
        day: columns.day()?,
        fields: DayFields {
            pre_market: columns.opt_real()?,
            pred_low: columns.opt_real()?,
            pred_high: columns.opt_real()?,
            bias: columns.opt_text()?,
            vol_ctx: columns.opt_text()?,
            day_type: columns.opt_text()?,
            key_levels: columns.opt_text()?,
            notes: columns.opt_text()?,
            open: columns.opt_real()?,
            noon: columns.opt_real()?,
            two_pm: columns.opt_real()?,
            close: columns.opt_real()?,
            realized_low: columns.opt_real()?,
            realized_high: columns.opt_real()?,
            range_hit: columns.opt_bool()?,
            abs_error_to_close: columns.opt_real()?,
            source: columns.opt_text()?,
            locked: columns.opt_bool()?,
        },
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
    })
}

fn find(session: &Session, day: Day) -> StoreResult<Option<DailyPrediction>> {
    const SQL: &str = days_sql!("WHERE date = ?1 ORDER BY id LIMIT 1");
    session.query_opt(&DAYS.reading(session, SQL)?, [day.to_string()], day_from_row)
}

fn apply(session: &Session, day: Day, change: &DayChange, now: Timestamp) -> StoreResult<DayOutcome> {
    DAYS.whole(session)?;
    let before = find(session, day)?;
    let effect = change
        .apply(before.as_ref(), now)
        .map_err(|rule| broken("daily_predictions", rule))?;
    let (fields, updated_at, logs) = match effect {
        Effect::Missing => return Ok(DayOutcome::Missing),
        Effect::Locked => return Ok(DayOutcome::Locked),
        Effect::Write {
            fields,
            updated_at,
            logs,
        } => (fields, updated_at, logs),
    };
    let after = match &before {
        Some(row) if row.fields == *fields => row.clone(),
        row => write(session, day, row.as_ref(), &fields, now, updated_at.as_ref())?,
    };
    for log in &logs {
        append(session, day, *log, now)?;
    }
    Ok(DayOutcome::Stored(Box::new(DayStored { before, after, logs })))
}

/// Stores the fields in the day's row, or in a new one.
fn write(
    session: &Session,
    day: Day,
    row: Option<&DailyPrediction>,
    fields: &DayFields,
    now: Timestamp,
    updated_at: Option<&Stored<Timestamp>>,
) -> StoreResult<DailyPrediction> {
    const INSERT: &str = concat!("INSERT INTO daily_predictions (date, \"preMarket\", \"predLow\", \"predHigh\", bias, \"volCtx\",
            \"dayType\", \"keyLevels\", notes, open, noon, \"twoPM\", close, \"realizedLow\", \"realizedHigh\",
            \"rangeHit\", \"absErrorToClose\", source, locked, updated_at, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
        RETURNING ", day_columns!());
    let date = day.to_string();
    let created_at = now.to_naive(session.zone());
    let updated_at = opt_naive(session, updated_at);
    let given = values(fields);
    let mut binds: Vec<&dyn ToSql> = Vec::with_capacity(21);
    let stored = if let Some(row) = row {
        // Only what changes: a check is asked about the columns that are set, and an old row may break it.
        let old = values(&row.fields);
        binds.extend([&row.id as &dyn ToSql, &updated_at]);
        let mut set = vec!["updated_at = ?2".to_owned()];
        for ((column, value), old) in DAYS.columns[2..].iter().zip(&given).zip(&old) {
            if value != old {
                binds.push(value);
                set.push(format!("\"{column}\" = ?{}", binds.len()));
            }
        }
        let sql = format!(
            "UPDATE daily_predictions SET {} WHERE id = ?1 RETURNING {}",
            set.join(", "),
            day_columns!()
        );
        session.query_opt(&sql, binds.as_slice(), day_from_row)?
    } else {
        binds.push(&date);
        binds.extend(given.iter().map(|value| value as &dyn ToSql));
        binds.extend([&updated_at as &dyn ToSql, &created_at]);
        session.query_opt(INSERT, binds.as_slice(), day_from_row)?
    };
    stored.ok_or_else(|| StoreError::missing("daily_predictions"))
}

/// What the columns of the fields hold, in the order of `DAYS`.
fn values(fields: &DayFields) -> [Value; 18] {
    let number = |value: &Option<Stored<f64>>| opt_sql_number(value.as_ref());
    let text = |value: &Option<String>| value.clone().into();
    [
        number(&fields.pre_market),
        number(&fields.pred_low),
        number(&fields.pred_high),
        text(&fields.bias),
        text(&fields.vol_ctx),
        text(&fields.day_type),
        text(&fields.key_levels),
        text(&fields.notes),
        number(&fields.open),
        number(&fields.noon),
        number(&fields.two_pm),
        number(&fields.close),
        number(&fields.realized_low),
        number(&fields.realized_high),
        opt_sql_bool(fields.range_hit.as_ref()),
        number(&fields.abs_error_to_close),
        text(&fields.source),
        opt_sql_bool(fields.locked.as_ref()),
    ]
}

fn append(session: &Session, day: Day, log: PriceLog, now: Timestamp) -> StoreResult<()> {
    const SQL: &str = "INSERT INTO price_logs (date, checkpoint, price, created_at) VALUES (?1, ?2, ?3, ?4)";
    let created_at = now.to_naive(session.zone());
    session
        .execute(
            SQL,
            params![day.to_string(), log.checkpoint.as_str(), log.price, created_at],
        )
        .map(drop)
}

#[async_trait]
impl DailyPredictionRepository for SqliteDailyPredictionRepository {
    async fn get(&self, day: Day) -> StoreResult<Option<DailyPrediction>> {
        self.db
            .look_up("daily_predictions.get", move |session| find(session, day))
            .await
    }

    async fn change(&self, day: Day, change: &DayChange, now: Timestamp) -> StoreResult<DayOutcome> {
        let change = change.clone();
        self.db
            .atomic("daily_predictions.change", move |session| {
                apply(session, day, &change, now)
            })
            .await
    }

    async fn page(&self, limit: u32, offset: u64) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("ORDER BY date DESC, id LIMIT ?1 OFFSET ?2");
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        self.db
            .read("daily_predictions.page", move |session| {
                session.query(&DAYS.reading(session, SQL)?, params![limit, offset], day_from_row)
            })
            .await
    }

    async fn up_to(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("WHERE date <= ?1 ORDER BY date DESC, id LIMIT ?2");
        self.db
            .read("daily_predictions.up_to", move |session| {
                let sql = DAYS.reading(session, SQL)?;
                session.query(&sql, params![day.to_string(), limit], day_from_row)
            })
            .await
    }

    async fn since(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("WHERE date >= ?1 ORDER BY date DESC, id LIMIT ?2");
        self.db
            .read("daily_predictions.since", move |session| {
                let sql = DAYS.reading(session, SQL)?;
                session.query(&sql, params![day.to_string(), limit], day_from_row)
            })
            .await
    }

    async fn delete_after(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM daily_predictions WHERE date > ?1";
        self.db
            .write("daily_predictions.delete_after", move |session| {
                session.execute(SQL, [day.to_string()])
            })
            .await
    }

    async fn delete_before(&self, day: Day) -> StoreResult<Swept> {
        const DAYS: &str = "DELETE FROM daily_predictions WHERE date < ?1";
        const LOGS: &str = "DELETE FROM price_logs WHERE date < ?1";
        self.db
            .atomic("daily_predictions.delete_before", move |session| {
                Ok(Swept {
                    daily_predictions: session.execute(DAYS, [day.to_string()])?,
                    price_logs: session.execute(LOGS, [day.to_string()])?,
                })
            })
            .await
    }

    async fn count_logs_since(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM price_logs WHERE date >= ?1";
        self.db
            .read("daily_predictions.count_logs_since", move |session| {
                let count = session.query_opt(SQL, [day.to_string()], |columns| columns.count())?;
                Ok(count.unwrap_or(0))
            })
            .await
    }

    async fn logs(&self, day: Day) -> StoreResult<Vec<PriceLog>> {
        const SQL: &str = "SELECT checkpoint, price FROM price_logs WHERE date = ?1 ORDER BY id";
        self.db
            .read("daily_predictions.logs", move |session| {
                let rows = session.query(SQL, [day.to_string()], |columns| {
                    Ok((columns.text_enum::<Checkpoint>()?, columns.real()?))
                })?;
                let known = rows.into_iter().filter_map(|(checkpoint, price)| {
                    Some(PriceLog {
                        checkpoint: *checkpoint.known()?,
                        price: *price.known()?,
                    })
                });
                Ok(known.collect())
            })
            .await
    }

    fn time_form(&self) -> TimeForm {
        TimeForm::Naive
    }
}
