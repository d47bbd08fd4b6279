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
use postgres_types::Type;

use super::broken;
use crate::Database;
use crate::row::{Columns, Row, known, opt_known, pg_day, pg_enum};
use crate::types::{PgDay, PgTime};

const TABLE: &str = "ai_predictions";

/// [`AiPredictionRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgAiPredictionRepository {
    db: Database,
}

impl PgAiPredictionRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Predictions column by column.
#[derive(Default)]
struct Arrays<'a> {
    date: Vec<PgDay>,
    checkpoint: Vec<String>,
    predicted_price: Vec<f64>,
    confidence: Vec<f64>,
    reasoning: Vec<Option<&'a str>>,
    market_context: Vec<Option<&'a str>>,
    actual_price: Vec<Option<f64>>,
    prediction_error: Vec<Option<f64>>,
    interval_low: Vec<Option<f64>>,
    interval_high: Vec<Option<f64>>,
    interval_hit: Vec<Option<bool>>,
    source: Vec<Option<&'a str>>,
    model: Vec<Option<&'a str>>,
    prompt_version: Vec<Option<&'a str>>,
}

impl<'a> Arrays<'a> {
    fn push(&mut self, new: &'a AiFields) -> StoreResult<()> {
        new.check().map_err(|rule| broken(TABLE, rule))?;
        self.date.push(pg_day("ai_predictions.date", &new.day)?);
        self.checkpoint
            .push(pg_enum("ai_predictions.checkpoint", &new.checkpoint)?);
        self.predicted_price
            .push(known("ai_predictions.predicted_price", &new.predicted_price)?);
        self.confidence
            .push(known("ai_predictions.confidence", &new.confidence)?);
        self.reasoning.push(new.reasoning.as_deref());
        self.market_context.push(new.market_context.as_deref());
        self.actual_price.push(opt_known(
            "ai_predictions.actual_price",
            new.actual_price.as_ref(),
        )?);
        self.prediction_error.push(opt_known(
            "ai_predictions.prediction_error",
            new.prediction_error.as_ref(),
        )?);
        self.interval_low.push(opt_known(
            "ai_predictions.interval_low",
            new.interval_low.as_ref(),
        )?);
        self.interval_high.push(opt_known(
            "ai_predictions.interval_high",
            new.interval_high.as_ref(),
        )?);
        self.interval_hit.push(opt_known(
            "ai_predictions.interval_hit",
            new.interval_hit.as_ref(),
        )?);
        self.source.push(new.source.as_deref());
        self.model.push(new.model.as_deref());
        self.prompt_version.push(new.prompt_version.as_deref());
        Ok(())
    }
}

/// Reads a whole row.
fn prediction_from_row(row: &Row) -> StoreResult<AiPrediction> {
    let mut columns = Columns::new(TABLE, row);
    Ok(AiPrediction {
        id: columns.get()?,
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
impl AiPredictionRepository for PgAiPredictionRepository {
    async fn insert(&self, predictions: &[AiFields], now: Timestamp) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence, reasoning,
                market_context, actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model,
                prompt_version, created_at)
            SELECT date, checkpoint, predicted_price, confidence, reasoning, market_context, actual_price,
                prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version, $15
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) WITH ORDINALITY AS new
                (date, checkpoint, predicted_price, confidence, reasoning, market_context, actual_price,
                prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version, place)
            ORDER BY place";
        let mut arrays = Arrays::default();
        for new in predictions {
            arrays.push(new)?;
        }
        let lease = self.db.lease("ai_predictions.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&arrays.date, Type::DATE_ARRAY),
                    (&arrays.checkpoint, Type::TEXT_ARRAY),
                    (&arrays.predicted_price, Type::FLOAT8_ARRAY),
                    (&arrays.confidence, Type::FLOAT8_ARRAY),
                    (&arrays.reasoning, Type::TEXT_ARRAY),
                    (&arrays.market_context, Type::TEXT_ARRAY),
                    (&arrays.actual_price, Type::FLOAT8_ARRAY),
                    (&arrays.prediction_error, Type::FLOAT8_ARRAY),
                    (&arrays.interval_low, Type::FLOAT8_ARRAY),
                    (&arrays.interval_high, Type::FLOAT8_ARRAY),
                    (&arrays.interval_hit, Type::BOOL_ARRAY),
                    (&arrays.source, Type::TEXT_ARRAY),
                    (&arrays.model, Type::TEXT_ARRAY),
                    (&arrays.prompt_version, Type::TEXT_ARRAY),
                    (&PgTime(now), Type::TIMESTAMPTZ),
                ],
            )
            .await
            .map(drop)
    }

    async fn for_day(&self, day: Day) -> StoreResult<Vec<AiPrediction>> {
        const SQL: &str = "SELECT id, date, checkpoint, predicted_price, confidence, reasoning, market_context,
                actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version,
                created_at, updated_at
            FROM ai_predictions WHERE date = $1 ORDER BY created_at DESC NULLS LAST, id";
        let lease = self.db.lease("ai_predictions.for_day").await?;
        let rows = lease.query(SQL, &[(&PgDay(day), Type::DATE)]).await?;
        rows.iter().map(prediction_from_row).collect()
    }

    async fn set_actuals(
        &self,
        day: Day,
        prices: &DayPrices,
        force: bool,
        now: Timestamp,
    ) -> StoreResult<u64> {
        const SQL: &str = "UPDATE ai_predictions SET actual_price = new.price,
                prediction_error = abs(predicted_price - new.price), updated_at = $5
            FROM unnest($2, $3) AS new (checkpoint, price)
            WHERE date = $1 AND ai_predictions.checkpoint = new.checkpoint
                AND (actual_price IS NULL OR ($4 AND actual_price IS DISTINCT FROM new.price))";
        let known: Vec<(&str, f64)> = Checkpoint::PREDICTED
            .iter()
            .filter_map(|checkpoint| Some((checkpoint.as_str(), prices.get(*checkpoint)?)))
            .collect();
        if known.is_empty() {
            return Ok(0);
        }
        let (checkpoints, prices): (Vec<&str>, Vec<f64>) = known.into_iter().unzip();
        let lease = self.db.lease("ai_predictions.set_actuals").await?;
        lease
            .execute(
                SQL,
                &[
                    (&PgDay(day), Type::DATE),
                    (&checkpoints, Type::TEXT_ARRAY),
                    (&prices, Type::FLOAT8_ARRAY),
                    (&force, Type::BOOL),
                    (&PgTime(now), Type::TIMESTAMPTZ),
                ],
            )
            .await
    }

    async fn scored(&self, filter: &ScoredFilter) -> StoreResult<Vec<AiPrediction>> {
        const SQL: &str = "SELECT id, date, checkpoint, predicted_price, confidence, reasoning, market_context,
                actual_price, prediction_error, interval_low, interval_high, interval_hit, source, model, prompt_version,
                created_at, updated_at
            FROM ai_predictions
            WHERE actual_price IS NOT NULL AND ($1::date IS NULL OR date >= $1) AND ($2::date IS NULL OR date <= $2)
                AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR checkpoint = $4)
            ORDER BY id";
        let lease = self.db.lease("ai_predictions.scored").await?;
        let rows = lease
            .query(
                SQL,
                &[
                    (&filter.from.map(PgDay), Type::DATE),
                    (&filter.to.map(PgDay), Type::DATE),
                    (&filter.source, Type::TEXT),
                    (&filter.checkpoint, Type::TEXT),
                ],
            )
            .await?;
        rows.iter().map(prediction_from_row).collect()
    }

    async fn delete_after(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM ai_predictions WHERE date > $1";
        let lease = self.db.lease("ai_predictions.delete_after").await?;
        lease.execute(SQL, &[(&PgDay(day), Type::DATE)]).await
    }

    async fn delete_before(&self, day: Day) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM ai_predictions WHERE date < $1";
        let lease = self.db.lease("ai_predictions.delete_before").await?;
        lease.execute(SQL, &[(&PgDay(day), Type::DATE)]).await
    }

    async fn duplicates(&self) -> StoreResult<DuplicateAnalysis> {
        const COUNT: &str = "SELECT count(*), count(DISTINCT (date, checkpoint)) FROM ai_predictions";
        // The rows of each group one by one, in the order of their numbers. A database without the constraint may
        // have some.
        const GROUPS: &str = "SELECT date, checkpoint, id, created_at FROM ai_predictions
            WHERE (date, checkpoint) IN
                (SELECT date, checkpoint FROM ai_predictions GROUP BY date, checkpoint HAVING count(*) > 1)
            ORDER BY date DESC, checkpoint, id";
        let lease = self.db.lease("ai_predictions.duplicates").await?;
        let counts = lease.query_one(COUNT, &[]).await?;
        let mut columns = Columns::new("count", &counts);
        let (total, distinct) = (columns.count()?, columns.count()?);
        let rows = lease.query(GROUPS, &[]).await?;
        let rows = rows.iter().map(|row| {
            let mut columns = Columns::new(TABLE, row);
            let day: PgDay = columns.get()?;
            Ok((
                day.0.to_string(),
                columns.text()?,
                columns.get()?,
                columns.opt_time()?,
            ))
        });
        let rows = rows.collect::<StoreResult<Vec<_>>>()?;
        let groups = rows.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
        Ok(DuplicateAnalysis {
            total,
            distinct,
            groups: groups.filter_map(DuplicateGroup::of).collect(),
        })
    }

    async fn remove_duplicates(&self) -> StoreResult<u64> {
        // No new ones come in: the schema has a constraint.
        const SQL: &str = "DELETE FROM ai_predictions
            WHERE id NOT IN (SELECT max(id) FROM ai_predictions GROUP BY date, checkpoint)";
        let lease = self.db.lease("ai_predictions.remove_duplicates").await?;
        lease.execute(SQL, &[]).await
    }
}
