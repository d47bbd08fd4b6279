//! Documents of experiments.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::experiment_document::{
    DocumentProgress, DocumentSummary, DocumentType, ExperimentDocument, PendingDocument,
};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_ports::lab::ExperimentDocumentRepository;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_pg_json, pg_enum, pg_time};
use crate::types::PgTime;

const TABLE: &str = "experiment_documents";

/// How often a document is saved again because another one took its id at the same moment.
const SAVE_ATTEMPTS: usize = 5;

/// [`ExperimentDocumentRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgExperimentDocumentRepository {
    db: Database,
}

impl PgExperimentDocumentRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    async fn save_once(&self, document: &ExperimentDocument) -> StoreResult<()> {
        const SQL: &str = "WITH gone AS (
                DELETE FROM experiment_documents
                WHERE id = $1 AND (experiment_id, document_type) <> ($2, $3) RETURNING id)
            INSERT INTO experiment_documents (id, experiment_id, document_type, markdown_content, metadata,
                generated_at, model, status, error_message)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE (SELECT count(*) FROM gone) >= 0
            ON CONFLICT (experiment_id, document_type) DO UPDATE SET id = excluded.id,
                markdown_content = excluded.markdown_content, metadata = excluded.metadata,
                generated_at = excluded.generated_at, model = excluded.model, status = excluded.status,
                error_message = excluded.error_message";
        let document_type = pg_enum("experiment_documents.document_type", &document.document_type)?;
        let generated_at = pg_time("experiment_documents.generated_at", &document.generated_at)?;
        let status = pg_enum("experiment_documents.status", &document.status)?;
        let lease = self.db.lease("experiment_documents.save").await?;
        lease
            .execute(
                SQL,
                &[
                    (&document.id, Type::TEXT),
                    (&document.experiment_id, Type::TEXT),
                    (&document_type, Type::TEXT),
                    (&document.markdown_content, Type::TEXT),
                    (&opt_pg_json(document.metadata.as_ref()), Type::JSONB),
                    (&generated_at, Type::TIMESTAMPTZ),
                    (&document.model, Type::TEXT),
                    (&status, Type::TEXT),
                    (&document.error_message, Type::TEXT),
                ],
            )
            .await
            .map(drop)
    }
}

/// Reads `id, experiment_id, document_type, markdown_content, metadata, generated_at, model, status, error_message`.
fn document_from_row(row: &Row) -> StoreResult<ExperimentDocument> {
    let mut columns = Columns::new(TABLE, row);
    Ok(ExperimentDocument {
        id: columns.text()?,
        experiment_id: columns.text()?,
        document_type: columns.text_enum()?,
        markdown_content: columns.text()?,
        metadata: columns.opt_json()?,
        generated_at: columns.time()?,
        model: columns.opt_text()?,
        status: columns.text_enum()?,
        error_message: columns.opt_text()?,
    })
}

/// Reads `id, document_type, status, generated_at, model`.
fn summary_from_row(row: &Row) -> StoreResult<DocumentSummary> {
    let mut columns = Columns::new(TABLE, row);
    Ok(DocumentSummary {
        id: columns.text()?,
        document_type: columns.text_enum()?,
        status: columns.text_enum()?,
        generated_at: columns.time()?,
        model: columns.opt_text()?,
    })
}

#[async_trait]
impl ExperimentDocumentRepository for PgExperimentDocumentRepository {
    async fn save(&self, document: &ExperimentDocument) -> StoreResult<()> {
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &document.experiment_id)])
            .await?;
        let mut outcome = self.save_once(document).await;
        for _ in 1..SAVE_ATTEMPTS {
            // Whoever stored the id since this statement began is now seen, and replaced.
            match &outcome {
                Err(StoreError::Conflict(key)) if key == "experiment_documents.id" => {
                    outcome = self.save_once(document).await;
                }
                _ => break,
            }
        }
        outcome
    }

    async fn create_pending(&self, pending: &PendingDocument) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str = "INSERT INTO experiment_documents AS old (id, experiment_id, document_type,
                markdown_content, generated_at, model, status)
            VALUES ($1, $2, $3, '', $4, $5, 'generating')
            ON CONFLICT (experiment_id, document_type) DO UPDATE SET markdown_content = '', metadata = NULL,
                generated_at = excluded.generated_at, model = excluded.model, status = 'generating',
                error_message = NULL
            WHERE old.status <> 'generating'
            RETURNING id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &pending.experiment_id)])
            .await?;
        let lease = self.db.lease("experiment_documents.create_pending").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&pending.id, Type::TEXT),
                    (&pending.experiment_id, Type::TEXT),
                    (&pending.document_type.as_str(), Type::TEXT),
                    (&PgTime(pending.generated_at), Type::TIMESTAMPTZ),
                    (&pending.model, Type::TEXT),
                ],
            )
            .await?;
        rows.first().map(document_from_row).transpose()
    }

    async fn get(&self, id: &str) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str =
            "SELECT id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message
            FROM experiment_documents WHERE id = $1";
        let lease = self.db.look_up("experiment_documents.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(document_from_row).transpose()
    }

    async fn find(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
    ) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str =
            "SELECT id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message
            FROM experiment_documents WHERE experiment_id = $1 AND document_type = $2";
        let lease = self.db.look_up("experiment_documents.find");
        let row = lease
            .query_opt(
                SQL,
                &[
                    (&experiment_id, Type::TEXT),
                    (&document_type.as_str(), Type::TEXT),
                ],
            )
            .await?;
        row.as_ref().map(document_from_row).transpose()
    }

    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<DocumentSummary>> {
        const SQL: &str = "SELECT id, document_type, status, generated_at, model
            FROM experiment_documents WHERE experiment_id = $1 ORDER BY generated_at DESC, document_type";
        let lease = self.db.lease("experiment_documents.list_by_experiment").await?;
        let rows = lease.query(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        rows.iter().map(summary_from_row).collect()
    }

    async fn markdown(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
    ) -> StoreResult<Option<String>> {
        const SQL: &str = "SELECT markdown_content FROM experiment_documents
            WHERE experiment_id = $1 AND document_type = $2 AND status = 'completed'";
        let lease = self.db.lease("experiment_documents.markdown").await?;
        let row = lease
            .query_opt(
                SQL,
                &[
                    (&experiment_id, Type::TEXT),
                    (&document_type.as_str(), Type::TEXT),
                ],
            )
            .await?;
        row.as_ref()
            .map(|row| Columns::new(TABLE, row).text())
            .transpose()
    }

    async fn completed_by_experiment(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, Vec<DocumentType>>> {
        const SQL: &str = "SELECT experiment_id, document_type FROM experiment_documents
            WHERE experiment_id = ANY($1) AND status = 'completed' ORDER BY document_type";
        let lease = self
            .db
            .lease("experiment_documents.completed_by_experiment")
            .await?;
        let rows = lease.query(SQL, &[(&experiment_ids, Type::TEXT_ARRAY)]).await?;
        let mut completed: HashMap<String, Vec<DocumentType>> = HashMap::new();
        for row in &rows {
            let mut columns = Columns::new(TABLE, row);
            let experiment_id = columns.text()?;
            if let Stored::Known(document_type) = columns.text_enum()? {
                completed.entry(experiment_id).or_default().push(document_type);
            }
        }
        Ok(completed)
    }

    async fn update(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
        progress: &DocumentProgress,
    ) -> StoreResult<bool> {
        const SQL: &str = "UPDATE experiment_documents SET status = $3,
                markdown_content = coalesce($4, markdown_content), metadata = coalesce($5, metadata),
                error_message = coalesce($6, error_message), generated_at = coalesce($7, generated_at)
            WHERE experiment_id = $1 AND document_type = $2";
        let lease = self.db.lease("experiment_documents.update").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&experiment_id, Type::TEXT),
                    (&document_type.as_str(), Type::TEXT),
                    (&progress.status.as_str(), Type::TEXT),
                    (&progress.markdown_content, Type::TEXT),
                    (&opt_pg_json(progress.metadata.as_ref()), Type::JSONB),
                    (&progress.error_message, Type::TEXT),
                    (&progress.generated_at.map(PgTime), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn delete(&self, experiment_id: &str, document_type: DocumentType) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM experiment_documents WHERE experiment_id = $1 AND document_type = $2";
        let lease = self.db.lease("experiment_documents.delete").await?;
        let deleted = lease
            .execute(
                SQL,
                &[
                    (&experiment_id, Type::TEXT),
                    (&document_type.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(deleted > 0)
    }
}
