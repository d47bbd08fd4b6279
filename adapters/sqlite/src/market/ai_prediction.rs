//! What models predicted.

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::{
    AiFields, AiPrediction, DuplicateAnalysis, DuplicateGroup, ScoredFilter,
};
use cutover_domain::market::daily_prediction::DayPrices;
use cutover_domain::market::day::Day;
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::market::AiPredictionRepository;
use rusqlite::params;

use super::{Table, broken, opt_sql_bool};
use crate::Database;
use crate::row::{Columns, opt_sql_number, sql_day, sql_enum, sql_number};

const TABLE: Table = Table {
    name: "ai_predictions",
    columns: &[
        "id",
        "date",
        "checkpoint",
        "predicted_price",
        "confidence",
        "reasoning",
        "market_context",
        "actual_price",
        "prediction_error",
        "interval_low",
        "interval_high",
        "interval_hit",
        "source",
        "model",
        "prompt_version",
        "created_at",
        "updated_at",
    ],
};

/// [`AiPredictionRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteAiPredictionRepository {
    db: Database,
}

impl SqliteAiPredictionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    /// Runs a DELETE with a day; none are deleted from a file without the table.
    async fn delete(&self, operation: &'static str, sql: &'static str, day: Day) -> StoreResult<u64> {
        self.db
            .write(operation, move |session| {
                if session.has_table(TABLE.name)? {
                    session.execute(sql, [day.to_string()])
                } else {
                    Ok(0)
                }
            })
            .await
    }
}

/// Reads a whole row, in the order of `TABLE`.
fn prediction_from_row(columns: &mut Columns<'_>) -> StoreResult<AiPrediction> {
    Ok(AiPrediction {
        id: columns.integer()?.known().copied().unwrap_or_default(),
        fields: AiFields {
            day: columns.day()?,
            checkpoint: columns.text_enum()?,
            predicted_price: columns.real()?,
            confidence: columns.real()?,
            reasoning: columns.opt_text()?,
            market_context: columns.opt_text()?,
            actual_price: columns.opt_real()?,
            prediction_error: columns.opt_real()?,
            interval_low: columns.opt_real()?,
            interval_high: columns.opt_real()?,
            interval_hit: columns.opt_bool()?,
            source: columns.opt_text()?,
            model: columns.opt_text()?,
            prompt_version: columns.opt_text()?,
        },
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl AiPredictionRepository for SqliteAiPredictionRepository {
    async fn insert(&self, predictions: &[AiFields], now: Timestamp) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence, reasoning,
                market_context, actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model,
                prompt_version, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        // Where an old file lacks the unique index, nothing else finds out.
        const TAKEN: &str = "SELECT 1 FROM ai_predictions WHERE date = ?1 AND checkpoint = ?2";
        for prediction in predictions {
            prediction.check().map_err(|rule| broken(TABLE.name, rule))?;
        }
        let predictions = predictions.to_vec();
        self.db
            .atomic("ai_predictions.insert", move |session| {
                TABLE.whole(session)?;
                let created_at = now.to_naive(session.zone());
                for new in &predictions {
                    let (day, checkpoint) = (sql_day(&new.day), sql_enum(&new.checkpoint));
                    if session
                        .query_opt(TAKEN, params![day, checkpoint], |_| Ok(()))?
                        .is_some()
                    {
                        return Err(cutover_ports::StoreError::conflict(
                            "ai_predictions.date,checkpoint",
                        ));
                    }
                    session.execute(
                        SQL,
                        params![
                            day,
                            checkpoint,
                            sql_number(&new.predicted_price),
                            sql_number(&new.confidence),
                            new.reasoning,
                            new.market_context,
                            opt_sql_number(new.actual_price.as_ref()),
                            opt_sql_number(new.prediction_error.as_ref()),
                            opt_sql_number(new.interval_low.as_ref()),
                            opt_sql_number(new.interval_high.as_ref()),
                            opt_sql_bool(new.interval_hit.as_ref()),
                            new.source,
                            new.model,
                            new.prompt_version,
                            created_at,
                        ],
                    )?;
                }
                Ok(())
            })
            .await
    }

    async fn for_day(&self, day: Day) -> StoreResult<Vec<AiPrediction>> {
        const SQL: &str = "SELECT id, date, checkpoint, predicted_price, confidence, reasoning, market_context,
                actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version,
                created_at, updated_at
            FROM ai_predictions WHERE date = ?1 ORDER BY created_at IS NULL, created_at DESC, id";
        self.db
            .read("ai_predictions.for_day", move |session| {
                let sql = TABLE.reading(session, SQL)?;
                session.query(&sql, [day.to_string()], prediction_from_row)
            })
            .await
    }

    async fn set_actuals(
        &self,
        day: Day,
        prices: &DayPrices,
        force: bool,
        now: Timestamp,
    ) -> StoreResult<u64> {
        // A predicted price that is no number has no distance.
        const SQL: &str = "UPDATE ai_predictions SET actual_price = ?3,
                prediction_error = CASE WHEN typeof(predicted_price) IN ('integer', 'real')
                    THEN abs(predicted_price - ?3) END,
                updated_at = ?5
            WHERE date = ?1 AND checkpoint = ?2 AND (actual_price IS NULL OR (?4 AND actual_price IS NOT ?3))";
        let prices = *prices;
        self.db
            .atomic("ai_predictions.set_actuals", move |session| {
                if !session.has_table(TABLE.name)? {
                    return Ok(0);
                }
                let updated_at = now.to_naive(session.zone());
                let mut changed = 0;
                for checkpoint in Checkpoint::PREDICTED {
                    if let Some(price) = prices.get(checkpoint) {
                        let day = day.to_string();
                        changed += session
                            .execute(SQL, params![day, checkpoint.as_str(), price, force, updated_at])?;
                    }
                }
                Ok(changed)
            })
            .await
    }

    async fn scored(&self, filter: &ScoredFilter) -> StoreResult<Vec<AiPrediction>> {
        const SQL: &str = "SELECT id, date, checkpoint, predicted_price, confidence, reasoning, market_context,
                actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version,
                created_at, updated_at
            FROM ai_predictions
            WHERE actual_price IS NOT NULL AND (?1 IS NULL OR date >= ?1) AND (?2 IS NULL OR date <= ?2)
                AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR checkpoint = ?4)
            ORDER BY id";
        let filter = filter.clone();
        self.db
            .read("ai_predictions.scored", move |session| {
                let text = |day: Option<Day>| day.map(|day| day.to_string());
                let sql = TABLE.reading(session, SQL)?;
                session.query(
                    &sql,
                    params![
                        text(filter.from),
                        text(filter.to),
                        filter.source,
                        filter.checkpoint
                    ],
                    prediction_from_row,
                )
            })
            .await
    }

    async fn delete_after(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM ai_predictions WHERE date > ?1";
        self.delete("ai_predictions.delete_after", SQL, day).await
    }

    async fn delete_before(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM ai_predictions WHERE date < ?1";
        self.delete("ai_predictions.delete_before", SQL, day).await
    }

    async fn duplicates(&self) -> StoreResult<DuplicateAnalysis> {
        const COUNT: &str = "SELECT count(*), count(DISTINCT date || ' ' || checkpoint) FROM ai_predictions";
        // The rows of each group one by one, in the order of their numbers.
        const GROUPS: &str = "SELECT date, checkpoint, id, created_at FROM ai_predictions
            WHERE (date, checkpoint) IN
                (SELECT date, checkpoint FROM ai_predictions GROUP BY date, checkpoint HAVING count(*) > 1)
            ORDER BY date DESC, checkpoint, id";
        self.db
            .read("ai_predictions.duplicates", |session| {
                let counts = session.query_opt(&TABLE.reading(session, COUNT)?, [], |columns| {
                    Ok((columns.count()?, columns.count()?))
                })?;
                let (total, distinct) = counts.unwrap_or_default();
                let rows = session.query(&TABLE.reading(session, GROUPS)?, [], |columns| {
                    let (day, checkpoint) = (columns.text()?, columns.text()?);
                    let id = columns.integer()?.known().copied().unwrap_or_default();
                    Ok((day, checkpoint, id, columns.opt_time()?))
                })?;
                let groups = rows.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
                Ok(DuplicateAnalysis {
                    total,
                    distinct,
                    groups: groups.filter_map(DuplicateGroup::of).collect(),
                })
            })
            .await
    }

    async fn remove_duplicates(&self) -> StoreResult<u64> {
        const DELETE: &str = "DELETE FROM ai_predictions
            WHERE id NOT IN (SELECT max(id) FROM ai_predictions GROUP BY date, checkpoint)";
        const INDEX: &str = "CREATE UNIQUE INDEX IF NOT EXISTS uq_ai_prediction_date_checkpoint
            ON ai_predictions (date, checkpoint)";
        self.db
            .atomic("ai_predictions.remove_duplicates", |session| {
                if !session.has_table(TABLE.name)? {
                    return Ok(0);
                }
                let deleted = session.execute(DELETE, [])?;
                session.execute(INDEX, [])?;
                Ok(deleted)
            })
            .await
    }
}
