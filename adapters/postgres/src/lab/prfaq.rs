//! PR/FAQs from before experiments had documents.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::lab::prfaq::{Prfaq, PrfaqOrder, PrfaqProgress, PrfaqSort, PrfaqSummary};
use cutover_domain::lab::synth::SortDirection;
use cutover_domain::stored::TextEnum;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::PrfaqRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_known, opt_pg_enum, opt_pg_json, opt_pg_time};
use crate::types::PgTime;

const TABLE: &str = "prfaq_metadata";

/// [`PrfaqRepository`] on PostgreSQL, whose schema always has the table.
#[derive(Debug, Clone)]
pub struct PgPrfaqRepository {
    db: Database,
}

impl PgPrfaqRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `exec_id, generated_at, model, validation_status, confidence_score, headline, one_liner, faq_count, status,
/// started_at`.
fn summary_from_columns(columns: &mut Columns<'_>) -> StoreResult<PrfaqSummary> {
    Ok(PrfaqSummary {
        exec_id: columns.text()?,
        generated_at: columns.opt_time()?,
        model: columns.opt_text()?,
        validation_status: columns.opt_text_enum()?,
        confidence_score: columns.opt_real()?,
        headline: columns.opt_text()?,
        one_liner: columns.opt_text()?,
        faq_count: columns.opt_integer()?,
        status: columns.opt_text_enum()?,
        started_at: columns.opt_time()?,
    })
}

fn summary_from_row(row: &Row) -> StoreResult<PrfaqSummary> {
    summary_from_columns(&mut Columns::new(TABLE, row))
}

/// Reads a summary's columns, then `markdown_content, json_content, error_message`.
fn prfaq_from_row(row: &Row) -> StoreResult<Prfaq> {
    let mut columns = Columns::new(TABLE, row);
    Ok(Prfaq {
        summary: summary_from_columns(&mut columns)?,
        markdown_content: columns.opt_text()?,
        json_content: columns.opt_json()?,
        error_message: columns.opt_text()?,
    })
}

/// A page in one order.
macro_rules! page_by {
    ($order:literal) => {
        concat!(
            "SELECT exec_id, generated_at, model, validation_status, confidence_score, headline, one_liner,
                faq_count, status, started_at
            FROM prfaq_metadata ORDER BY ",
            $order,
            ", exec_id LIMIT $1 OFFSET $2"
        )
    };
}

/// The page in the order wanted. No text from outside becomes SQL.
fn page_in_order(order: PrfaqOrder) -> &'static str {
    use SortDirection::{Ascending, Descending};
    match (order.sort, order.direction) {
        (PrfaqSort::ExecId, Ascending) => page_by!("exec_id"),
        (PrfaqSort::ExecId, Descending) => page_by!("exec_id DESC"),
        (PrfaqSort::GeneratedAt, Ascending) => page_by!("generated_at NULLS FIRST"),
        (PrfaqSort::GeneratedAt, Descending) => page_by!("generated_at DESC NULLS LAST"),
        (PrfaqSort::Model, Ascending) => page_by!("model NULLS FIRST"),
        (PrfaqSort::Model, Descending) => page_by!("model DESC NULLS LAST"),
        (PrfaqSort::ValidationStatus, Ascending) => page_by!("validation_status NULLS FIRST"),
        (PrfaqSort::ValidationStatus, Descending) => page_by!("validation_status DESC NULLS LAST"),
        (PrfaqSort::ConfidenceScore, Ascending) => page_by!("confidence_score NULLS FIRST"),
        (PrfaqSort::ConfidenceScore, Descending) => page_by!("confidence_score DESC NULLS LAST"),
        (PrfaqSort::Headline, Ascending) => page_by!("headline NULLS FIRST"),
        (PrfaqSort::Headline, Descending) => page_by!("headline DESC NULLS LAST"),
        (PrfaqSort::OneLiner, Ascending) => page_by!("one_liner NULLS FIRST"),
        (PrfaqSort::OneLiner, Descending) => page_by!("one_liner DESC NULLS LAST"),
        (PrfaqSort::FaqCount, Ascending) => page_by!("faq_count NULLS FIRST"),
        (PrfaqSort::FaqCount, Descending) => page_by!("faq_count DESC NULLS LAST"),
        (PrfaqSort::Status, Ascending) => page_by!("status NULLS FIRST"),
        (PrfaqSort::Status, Descending) => page_by!("status DESC NULLS LAST"),
        (PrfaqSort::StartedAt, Ascending) => page_by!("started_at NULLS FIRST"),
        (PrfaqSort::StartedAt, Descending) => page_by!("started_at DESC NULLS LAST"),
    }
}

#[async_trait]
impl PrfaqRepository for PgPrfaqRepository {
    async fn save(&self, prfaq: &Prfaq) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO prfaq_metadata (exec_id, generated_at, model, validation_status,
                confidence_score, headline, one_liner, faq_count, status, started_at, markdown_content,
                json_content, error_message)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            ON CONFLICT (exec_id) DO UPDATE SET generated_at = excluded.generated_at, model = excluded.model,
                validation_status = excluded.validation_status, confidence_score = excluded.confidence_score,
                headline = excluded.headline, one_liner = excluded.one_liner, faq_count = excluded.faq_count,
                status = excluded.status, started_at = excluded.started_at,
                markdown_content = excluded.markdown_content, json_content = excluded.json_content,
                error_message = excluded.error_message";
        let summary = &prfaq.summary;
        let generated_at = opt_pg_time("prfaq_metadata.generated_at", summary.generated_at.as_ref())?;
        let validation_status = opt_pg_enum(
            "prfaq_metadata.validation_status",
            summary.validation_status.as_ref(),
        )?;
        let confidence_score = opt_known(
            "prfaq_metadata.confidence_score",
            summary.confidence_score.as_ref(),
        )?;
        let faq_count = opt_known("prfaq_metadata.faq_count", summary.faq_count.as_ref())?;
        let status = opt_pg_enum("prfaq_metadata.status", summary.status.as_ref())?;
        let started_at = opt_pg_time("prfaq_metadata.started_at", summary.started_at.as_ref())?;
        let lease = self.db.lease("prfaqs.save").await?;
        lease
            .execute(
                SQL,
                &[
                    (&summary.exec_id, Type::TEXT),
                    (&generated_at, Type::TIMESTAMPTZ),
                    (&summary.model, Type::TEXT),
                    (&validation_status, Type::TEXT),
                    (&confidence_score, Type::FLOAT8),
                    (&summary.headline, Type::TEXT),
                    (&summary.one_liner, Type::TEXT),
                    (&faq_count, Type::INT8),
                    (&status, Type::TEXT),
                    (&started_at, Type::TIMESTAMPTZ),
                    (&prfaq.markdown_content, Type::TEXT),
                    (&opt_pg_json(prfaq.json_content.as_ref()), Type::JSONB),
                    (&prfaq.error_message, Type::TEXT),
                ],
            )
            .await
            .map(drop)
    }

    async fn create_pending(&self, exec_id: &str, model: &str, started_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str = "INSERT INTO prfaq_metadata AS old (exec_id, model, validation_status, faq_count,
                status, started_at)
            VALUES ($1, $2, 'valid', 0, 'generating', $3)
            ON CONFLICT (exec_id) DO UPDATE SET model = excluded.model, status = 'generating',
                started_at = excluded.started_at, error_message = NULL
            WHERE old.status IS DISTINCT FROM 'generating'";
        let lease = self.db.lease("prfaqs.create_pending").await?;
        let stored = lease
            .execute(
                SQL,
                &[
                    (&exec_id, Type::TEXT),
                    (&model, Type::TEXT),
                    (&PgTime(started_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(stored > 0)
    }

    async fn get(&self, exec_id: &str) -> StoreResult<Option<Prfaq>> {
        const SQL: &str =
            "SELECT exec_id, generated_at, model, validation_status, confidence_score, headline,
                one_liner, faq_count, status, started_at, markdown_content, json_content, error_message
            FROM prfaq_metadata WHERE exec_id = $1";
        let lease = self.db.look_up("prfaqs.get");
        let row = lease.query_opt(SQL, &[(&exec_id, Type::TEXT)]).await?;
        row.as_ref().map(prfaq_from_row).transpose()
    }

    async fn list(&self, order: PrfaqOrder, page: PageRequest) -> StoreResult<Page<PrfaqSummary>> {
        const COUNT: &str = "SELECT count(*) FROM prfaq_metadata";
        self.db
            .lease("prfaqs.list")
            .await?
            .page(page_in_order(order), COUNT, &[], page, summary_from_row)
            .await
    }

    async fn update(&self, exec_id: &str, progress: &PrfaqProgress) -> StoreResult<bool> {
        const SQL: &str = "UPDATE prfaq_metadata SET status = $2, generated_at = coalesce($3, generated_at),
                error_message = coalesce($4, error_message),
                markdown_content = coalesce($5, markdown_content),
                json_content = coalesce($6, json_content), headline = coalesce($7, headline),
                one_liner = coalesce($8, one_liner), faq_count = coalesce($9, faq_count),
                validation_status = coalesce($10, validation_status),
                confidence_score = coalesce($11, confidence_score)
            WHERE exec_id = $1";
        let lease = self.db.lease("prfaqs.update").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&exec_id, Type::TEXT),
                    (&progress.status.as_str(), Type::TEXT),
                    (&progress.generated_at.map(PgTime), Type::TIMESTAMPTZ),
                    (&progress.error_message, Type::TEXT),
                    (&progress.markdown_content, Type::TEXT),
                    (&opt_pg_json(progress.json_content.as_ref()), Type::JSONB),
                    (&progress.headline, Type::TEXT),
                    (&progress.one_liner, Type::TEXT),
                    (&progress.faq_count, Type::INT8),
                    (&progress.validation_status.map(TextEnum::as_str), Type::TEXT),
                    (&progress.confidence_score, Type::FLOAT8),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn completed_among(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str =
            "SELECT exec_id FROM prfaq_metadata WHERE exec_id = ANY($1) AND status = 'completed'";
        let lease = self.db.lease("prfaqs.completed_among").await?;
        let rows = lease.query(SQL, &[(&exec_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }
}
