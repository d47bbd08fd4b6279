//! Days and their prices.

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayFields, Effect, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, TextEnum as _};
use cutover_domain::time::Timestamp;
use cutover_ports::market::{DailyPredictionRepository, DayOutcome, DayStored, Swept, TimeForm};
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use super::broken;
use crate::Database;
use crate::database::Transaction;
use crate::row::{Columns, Row, opt_known, opt_pg_time};
use crate::types::{Bind, PgDay, PgTime};

const TABLE: &str = "daily_predictions";

/// How often a change is begun anew: of two that make a day's row at the same moment the second finds it there.
const CHANGE_ATTEMPTS: usize = 5;

/// [`DailyPredictionRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgDailyPredictionRepository {
    db: Database,
}

impl PgDailyPredictionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    async fn change_once(&self, day: Day, change: &DayChange, now: Timestamp) -> StoreResult<DayOutcome> {
        let transaction = self.db.begin("daily_predictions.change").await?;
        let outcome = apply(&transaction, day, change, now).await;
        transaction.finish(outcome).await
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

/// Reads a whole row.
fn day_from_row(row: &Row) -> StoreResult<DailyPrediction> {
    let mut columns = Columns::new(TABLE, row);
    Ok(DailyPrediction {
        id: columns.get()?,
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

async fn apply(
    transaction: &Transaction,
    day: Day,
    change: &DayChange,
    now: Timestamp,
) -> StoreResult<DayOutcome> {
    // Locked, so that changes of one day wait for each other.
    const FIND: &str = days_sql!("WHERE date = $1 FOR UPDATE");
    let row = transaction.write(FIND, &[(&PgDay(day), Type::DATE)]).await?;
    let before = row.first().map(day_from_row).transpose()?;
    let effect = change
        .apply(before.as_ref(), now)
        .map_err(|rule| broken(TABLE, rule))?;
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
        row => {
            // The table's checks are asked about the whole row, also where the change leaves alone what breaks one.
            fields.check().map_err(|rule| broken(TABLE, rule))?;
            write(transaction, day, row.as_ref(), &fields, now, updated_at.as_ref()).await?
        }
    };
    if !logs.is_empty() {
        append(transaction, day, &logs, now).await?;
    }
    Ok(DayOutcome::Stored(Box::new(DayStored { before, after, logs })))
}

/// Stores the fields in the day's row, or in a new one.
async fn write(
    transaction: &Transaction,
    day: Day,
    row: Option<&DailyPrediction>,
    fields: &DayFields,
    now: Timestamp,
    updated_at: Option<&Stored<Timestamp>>,
) -> StoreResult<DailyPrediction> {
    const INSERT: &str = concat!("INSERT INTO daily_predictions (date, \"preMarket\", \"predLow\", \"predHigh\", bias, \"volCtx\",
            \"dayType\", \"keyLevels\", notes, open, noon, \"twoPM\", close, \"realizedLow\", \"realizedHigh\",
            \"rangeHit\", \"absErrorToClose\", source, locked, updated_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        RETURNING ", day_columns!());
    const UPDATE: &str = concat!("UPDATE daily_predictions SET \"preMarket\" = $2, \"predLow\" = $3, \"predHigh\" = $4, bias = $5,
            \"volCtx\" = $6, \"dayType\" = $7, \"keyLevels\" = $8, notes = $9, open = $10, noon = $11, \"twoPM\" = $12,
            close = $13, \"realizedLow\" = $14, \"realizedHigh\" = $15, \"rangeHit\" = $16, \"absErrorToClose\" = $17,
            source = $18, locked = $19, updated_at = $20
        WHERE id = $1
        RETURNING ", day_columns!());
    let number = |what: &str, value: &Option<Stored<f64>>| opt_known(what, value.as_ref());
    let numbers = [
        number("daily_predictions.preMarket", &fields.pre_market)?,
        number("daily_predictions.predLow", &fields.pred_low)?,
        number("daily_predictions.predHigh", &fields.pred_high)?,
        number("daily_predictions.open", &fields.open)?,
        number("daily_predictions.noon", &fields.noon)?,
        number("daily_predictions.twoPM", &fields.two_pm)?,
        number("daily_predictions.close", &fields.close)?,
        number("daily_predictions.realizedLow", &fields.realized_low)?,
        number("daily_predictions.realizedHigh", &fields.realized_high)?,
        number("daily_predictions.absErrorToClose", &fields.abs_error_to_close)?,
    ];
    let [
        pre_market,
        low,
        high,
        open,
        noon,
        two_pm,
        close,
        realized_low,
        realized_high,
        error,
    ] = &numbers;
    let range_hit = opt_known("daily_predictions.rangeHit", fields.range_hit.as_ref())?;
    let locked = opt_known("daily_predictions.locked", fields.locked.as_ref())?;
    let updated_at = opt_pg_time("daily_predictions.updated_at", updated_at)?;
    let (date, created_at) = (PgDay(day), PgTime(now));
    let key: Bind<'_> = match row {
        Some(row) => (&row.id, Type::INT8),
        None => (&date, Type::DATE),
    };
    let mut binds = vec![
        key,
        (pre_market, Type::FLOAT8),
        (low, Type::FLOAT8),
        (high, Type::FLOAT8),
        (&fields.bias, Type::TEXT),
        (&fields.vol_ctx, Type::TEXT),
        (&fields.day_type, Type::TEXT),
        (&fields.key_levels, Type::TEXT),
        (&fields.notes, Type::TEXT),
        (open, Type::FLOAT8),
        (noon, Type::FLOAT8),
        (two_pm, Type::FLOAT8),
        (close, Type::FLOAT8),
        (realized_low, Type::FLOAT8),
        (realized_high, Type::FLOAT8),
        (&range_hit, Type::BOOL),
        (error, Type::FLOAT8),
        (&fields.source, Type::TEXT),
        (&locked, Type::BOOL),
        (&updated_at, Type::TIMESTAMPTZ),
    ];
    let sql = if row.is_some() {
        UPDATE
    } else {
        binds.push((&created_at, Type::TIMESTAMPTZ));
        INSERT
    };
    let stored = transaction.write(sql, &binds).await?;
    let stored = stored.first().ok_or_else(|| StoreError::missing(TABLE))?;
    day_from_row(stored)
}

async fn append(transaction: &Transaction, day: Day, logs: &[PriceLog], now: Timestamp) -> StoreResult<()> {
    const SQL: &str = "INSERT INTO price_logs (date, checkpoint, price, created_at)
        SELECT $1, checkpoint, price, $4
        FROM unnest($2, $3) WITH ORDINALITY AS new (checkpoint, price, place) ORDER BY place";
    let checkpoints: Vec<&str> = logs.iter().map(|log| log.checkpoint.as_str()).collect();
    let prices: Vec<f64> = logs.iter().map(|log| log.price).collect();
    transaction
        .execute(
            SQL,
            &[
                (&PgDay(day), Type::DATE),
                (&checkpoints, Type::TEXT_ARRAY),
                (&prices, Type::FLOAT8_ARRAY),
                (&PgTime(now), Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
}

#[async_trait]
impl DailyPredictionRepository for PgDailyPredictionRepository {
    async fn get(&self, day: Day) -> StoreResult<Option<DailyPrediction>> {
        const SQL: &str = days_sql!("WHERE date = $1");
        let lease = self.db.look_up("daily_predictions.get");
        let row = lease.query_opt(SQL, &[(&PgDay(day), Type::DATE)]).await?;
        row.as_ref().map(day_from_row).transpose()
    }

    async fn change(&self, day: Day, change: &DayChange, now: Timestamp) -> StoreResult<DayOutcome> {
        let mut outcome = self.change_once(day, change, now).await;
        for _ in 1..CHANGE_ATTEMPTS {
            match &outcome {
                Err(StoreError::Conflict(key)) if key == "daily_predictions.date" => {
                    outcome = self.change_once(day, change, now).await;
                }
                _ => break,
            }
        }
        outcome
    }

    async fn page(&self, limit: u32, offset: u64) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("ORDER BY date DESC, id LIMIT $1 OFFSET $2");
        let (limit, offset) = (i64::from(limit), i64::try_from(offset).unwrap_or(i64::MAX));
        let lease = self.db.lease("daily_predictions.page").await?;
        let rows = lease
            .query(SQL, &[(&limit, Type::INT8), (&offset, Type::INT8)])
            .await?;
        rows.iter().map(day_from_row).collect()
    }

    async fn up_to(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("WHERE date <= $1 ORDER BY date DESC, id LIMIT $2");
        let lease = self.db.lease("daily_predictions.up_to").await?;
        let rows = lease
            .query(SQL, &[(&PgDay(day), Type::DATE), (&i64::from(limit), Type::INT8)])
            .await?;
        rows.iter().map(day_from_row).collect()
    }

    async fn since(&self, day: Day, limit: u32) -> StoreResult<Vec<DailyPrediction>> {
        const SQL: &str = days_sql!("WHERE date >= $1 ORDER BY date DESC, id LIMIT $2");
        let lease = self.db.lease("daily_predictions.since").await?;
        let rows = lease
            .query(SQL, &[(&PgDay(day), Type::DATE), (&i64::from(limit), Type::INT8)])
            .await?;
        rows.iter().map(day_from_row).collect()
    }

    async fn delete_after(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM daily_predictions WHERE date > $1";
        let lease = self.db.lease("daily_predictions.delete_after").await?;
        lease.execute(SQL, &[(&PgDay(day), Type::DATE)]).await
    }

    async fn delete_before(&self, day: Day) -> StoreResult<Swept> {
        // One statement, hence one transaction.
        const SQL: &str = "WITH days AS (DELETE FROM daily_predictions WHERE date < $1 RETURNING 1),
                logs AS (DELETE FROM price_logs WHERE date < $1 RETURNING 1)
            SELECT (SELECT count(*) FROM days), (SELECT count(*) FROM logs)";
        let lease = self.db.lease("daily_predictions.delete_before").await?;
        let rows = lease.write(SQL, &[(&PgDay(day), Type::DATE)]).await?;
        let Some(row) = rows.first() else {
            return Ok(Swept::default());
        };
        let mut columns = Columns::new("count", row);
        Ok(Swept {
            daily_predictions: columns.count()?,
            price_logs: columns.count()?,
        })
    }

    async fn count_logs_since(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM price_logs WHERE date >= $1";
        let lease = self.db.lease("daily_predictions.count_logs_since").await?;
        let row = lease.query_one(SQL, &[(&PgDay(day), Type::DATE)]).await?;
        Columns::new("price_logs", &row).count()
    }

    async fn logs(&self, day: Day) -> StoreResult<Vec<PriceLog>> {
        const SQL: &str = "SELECT checkpoint, price FROM price_logs WHERE date = $1 ORDER BY id";
        let lease = self.db.lease("daily_predictions.logs").await?;
        let rows = lease.query(SQL, &[(&PgDay(day), Type::DATE)]).await?;
        let mut logs = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut columns = Columns::new("price_logs", row);
            let checkpoint = columns.text_enum::<Checkpoint>()?;
            let price = columns.get()?;
            if let Some(&checkpoint) = checkpoint.known() {
                logs.push(PriceLog { checkpoint, price });
            }
        }
        Ok(logs)
    }

    fn time_form(&self) -> TimeForm {
        TimeForm::Utc
    }
}
