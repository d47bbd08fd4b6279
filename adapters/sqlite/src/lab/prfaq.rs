//! PR/FAQs from before experiments had documents.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::prfaq::{Prfaq, PrfaqOrder, PrfaqProgress, PrfaqSort, PrfaqSummary};
use cutover_domain::lab::synth::SortDirection;
use cutover_domain::stored::TextEnum;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::PrfaqRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::database::Session;
use crate::instant::{newest_first, oldest_first};
use crate::row::{Columns, json_array, opt_sql_enum, opt_sql_number, opt_sql_time};

const TABLE: &str = "prfaq_metadata";

/// [`PrfaqRepository`] on SQLite. Files made by schema version 15 lack the table.
#[derive(Debug, Clone)]
pub struct SqlitePrfaqRepository {
    db: Database,
}

impl SqlitePrfaqRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Makes the table as schema versions 7 to 13 had it, unless it is there.
fn make_table(session: &Session) -> StoreResult<()> {
    const STATEMENTS: [&str; 3] = [
        "CREATE TABLE IF NOT EXISTS prfaq_metadata (
            exec_id           TEXT PRIMARY KEY,
            generated_at      TEXT,
            model             TEXT DEFAULT 'gpt-4o-mini',
            validation_status TEXT DEFAULT 'valid' CHECK (validation_status IN ('valid', 'invalid', 'pending')),
            confidence_score  REAL,
            headline          TEXT,
            one_liner         TEXT,
            faq_count         INTEGER DEFAULT 0,
            markdown_content  TEXT,
            json_content      TEXT CHECK (json_valid(json_content) OR json_content IS NULL),
            status            TEXT DEFAULT 'completed' CHECK (status IN ('generating', 'completed', 'failed')),
            error_message     TEXT,
            started_at        TEXT
        )",
        "CREATE INDEX IF NOT EXISTS idx_prfaq_generated ON prfaq_metadata (generated_at DESC)",
        "CREATE INDEX IF NOT EXISTS idx_prfaq_status ON prfaq_metadata (status)",
    ];
    if session.has_table(TABLE)? {
        return Ok(());
    }
    for statement in STATEMENTS {
        session.execute(statement, [])?;
    }
    Ok(())
}

/// Reads `exec_id, generated_at, model, validation_status, confidence_score, headline, one_liner, faq_count, status,
/// started_at`.
fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<PrfaqSummary> {
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

/// Reads a summary's columns, then `markdown_content, json_content, error_message`.
fn prfaq_from_row(columns: &mut Columns<'_>) -> StoreResult<Prfaq> {
    Ok(Prfaq {
        summary: summary_from_row(columns)?,
        markdown_content: columns.opt_text()?,
        json_content: columns.opt_json()?,
        error_message: columns.opt_text()?,
    })
}

/// The order's terms from the least value on, and from the greatest; SQLite holds NULL to be least.
fn order_terms(order: PrfaqOrder) -> &'static str {
    use SortDirection::{Ascending, Descending};
    match (order.sort, order.direction) {
        (PrfaqSort::ExecId, Ascending) => "exec_id",
        (PrfaqSort::ExecId, Descending) => "exec_id DESC",
        (PrfaqSort::GeneratedAt, Ascending) => {
            oldest_first!("generated_at")
        }
        (PrfaqSort::GeneratedAt, Descending) => {
            newest_first!("generated_at")
        }
        (PrfaqSort::Model, Ascending) => "model",
        (PrfaqSort::Model, Descending) => "model DESC",
        (PrfaqSort::ValidationStatus, Ascending) => "validation_status",
        (PrfaqSort::ValidationStatus, Descending) => "validation_status DESC",
        (PrfaqSort::ConfidenceScore, Ascending) => "confidence_score",
        (PrfaqSort::ConfidenceScore, Descending) => "confidence_score DESC",
        (PrfaqSort::Headline, Ascending) => "headline",
        (PrfaqSort::Headline, Descending) => "headline DESC",
        (PrfaqSort::OneLiner, Ascending) => "one_liner",
        (PrfaqSort::OneLiner, Descending) => "one_liner DESC",
        (PrfaqSort::FaqCount, Ascending) => "faq_count",
        (PrfaqSort::FaqCount, Descending) => "faq_count DESC",
        (PrfaqSort::Status, Ascending) => "status",
        (PrfaqSort::Status, Descending) => "status DESC",
        (PrfaqSort::StartedAt, Ascending) => {
            oldest_first!("started_at")
        }
        (PrfaqSort::StartedAt, Descending) => {
            newest_first!("started_at")
        }
    }
}

#[async_trait]
impl PrfaqRepository for SqlitePrfaqRepository {
    async fn save(&self, prfaq: &Prfaq) -> StoreResult<()> {
        const SQL: &str = "INSERT OR REPLACE INTO prfaq_metadata (exec_id, generated_at, model,
                validation_status, confidence_score, headline, one_liner, faq_count, status, started_at,
                markdown_content, json_content, error_message)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let prfaq = prfaq.clone();
        self.db
            .atomic("prfaqs.save", move |session| {
                make_table(session)?;
                let summary = &prfaq.summary;
                let row = params![
                    summary.exec_id,
                    opt_sql_time(summary.generated_at.as_ref()),
                    summary.model,
                    opt_sql_enum(summary.validation_status.as_ref()),
                    opt_sql_number(summary.confidence_score.as_ref()),
                    summary.headline,
                    summary.one_liner,
                    opt_sql_number(summary.faq_count.as_ref()),
                    opt_sql_enum(summary.status.as_ref()),
                    opt_sql_time(summary.started_at.as_ref()),
                    prfaq.markdown_content,
                    prfaq.json_content.as_ref().map(Json::as_str),
                    prfaq.error_message,
                ];
                session.execute(SQL, row).map(drop)
            })
            .await
    }

    async fn create_pending(&self, exec_id: &str, model: &str, started_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str = "INSERT INTO prfaq_metadata (exec_id, model, validation_status, faq_count, status,
                started_at)
            VALUES (?1, ?2, 'valid', 0, 'generating', ?3)
            ON CONFLICT (exec_id) DO UPDATE SET model = excluded.model, status = 'generating',
                started_at = excluded.started_at, error_message = NULL
            WHERE status IS NOT 'generating'";
        let (exec_id, model) = (exec_id.to_owned(), model.to_owned());
        self.db
            .atomic("prfaqs.create_pending", move |session| {
                make_table(session)?;
                Ok(session.execute(SQL, params![exec_id, model, started_at.to_iso()])? > 0)
            })
            .await
    }

    async fn get(&self, exec_id: &str) -> StoreResult<Option<Prfaq>> {
        const SQL: &str =
            "SELECT exec_id, generated_at, model, validation_status, confidence_score, headline,
                one_liner, faq_count, status, started_at, markdown_content, json_content, error_message
            FROM prfaq_metadata WHERE exec_id = ?1";
        let exec_id = exec_id.to_owned();
        self.db
            .look_up("prfaqs.get", move |session| {
                if !session.has_table(TABLE)? {
                    return Ok(None);
                }
                session.query_opt(SQL, [&exec_id], prfaq_from_row)
            })
            .await
    }

    async fn list(&self, order: PrfaqOrder, page: PageRequest) -> StoreResult<Page<PrfaqSummary>> {
        const COUNT: &str = "SELECT count(*) FROM prfaq_metadata";
        self.db
            .read("prfaqs.list", move |session| {
                if !session.has_table(TABLE)? {
                    return Ok(Page {
                        items: Vec::new(),
                        total: 0,
                    });
                }
                let sql = format!(
                    "SELECT exec_id, generated_at, model, validation_status, confidence_score, headline,
                        one_liner, faq_count, status, started_at
                    FROM prfaq_metadata ORDER BY {}, exec_id LIMIT ?1 OFFSET ?2",
                    order_terms(order)
                );
                session.page(&sql, COUNT, &[], page, summary_from_row)
            })
            .await
    }

    async fn update(&self, exec_id: &str, progress: &PrfaqProgress) -> StoreResult<bool> {
        const SQL: &str = "UPDATE prfaq_metadata SET status = ?2, generated_at = coalesce(?3, generated_at),
                error_message = coalesce(?4, error_message),
                markdown_content = coalesce(?5, markdown_content),
                json_content = coalesce(?6, json_content), headline = coalesce(?7, headline),
                one_liner = coalesce(?8, one_liner), faq_count = coalesce(?9, faq_count),
                validation_status = coalesce(?10, validation_status),
                confidence_score = coalesce(?11, confidence_score)
            WHERE exec_id = ?1";
        let (exec_id, progress) = (exec_id.to_owned(), progress.clone());
        self.db
            .write("prfaqs.update", move |session| {
                if !session.has_table(TABLE)? {
                    return Ok(false);
                }
                let row = params![
                    exec_id,
                    progress.status.as_str(),
                    progress.generated_at.map(Timestamp::to_iso),
                    progress.error_message,
                    progress.markdown_content,
                    progress.json_content.as_ref().map(Json::as_str),
                    progress.headline,
                    progress.one_liner,
                    progress.faq_count,
                    progress.validation_status.map(TextEnum::as_str),
                    progress.confidence_score,
                ];
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn completed_among(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>> {
        // The plus keeps the planner from going through all completed ones by the index on the status.
        const SQL: &str = "SELECT exec_id FROM prfaq_metadata
            WHERE exec_id IN (SELECT value FROM json_each(?1)) AND +status = 'completed'";
        let ids = json_array(exec_ids);
        let found = self
            .db
            .read("prfaqs.completed_among", move |session| {
                if !session.has_table(TABLE)? {
                    return Ok(Vec::new());
                }
                session.query(SQL, [ids], |columns| columns.text())
            })
            .await?;
        Ok(found.into_iter().collect())
    }
}
