//! Documents of experiments.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::experiment_document::{
    DocumentProgress, DocumentSummary, DocumentType, ExperimentDocument, PendingDocument,
};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::lab::ExperimentDocumentRepository;
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, json_array, sql_enum, sql_time};

/// [`ExperimentDocumentRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteExperimentDocumentRepository {
    db: Database,
}

impl SqliteExperimentDocumentRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, experiment_id, document_type, markdown_content, metadata, generated_at, model, status, error_message`.
fn document_from_row(columns: &mut Columns<'_>) -> StoreResult<ExperimentDocument> {
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
fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<DocumentSummary> {
    Ok(DocumentSummary {
        id: columns.text()?,
        document_type: columns.text_enum()?,
        status: columns.text_enum()?,
        generated_at: columns.time()?,
        model: columns.opt_text()?,
    })
}

#[async_trait]
impl ExperimentDocumentRepository for SqliteExperimentDocumentRepository {
    async fn save(&self, document: &ExperimentDocument) -> StoreResult<()> {
        // REPLACE takes away whatever row collides on either key.
        const SQL: &str = "INSERT OR REPLACE INTO experiment_documents (id, experiment_id, document_type,
                markdown_content, metadata, generated_at, model, status, error_message)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &document.experiment_id)])
            .await?;
        let document = document.clone();
        self.db
            .write("experiment_documents.save", move |session| {
                let row = params![
                    document.id,
                    document.experiment_id,
                    sql_enum(&document.document_type),
                    document.markdown_content,
                    document.metadata.as_ref().map(Json::as_str),
                    sql_time(&document.generated_at),
                    document.model,
                    sql_enum(&document.status),
                    document.error_message,
                ];
                let parent = ("experiments", "id", document.experiment_id.as_str());
                session.execute_referring(SQL, row, &[parent]).map(drop)
            })
            .await
    }

    async fn create_pending(&self, pending: &PendingDocument) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str = "INSERT INTO experiment_documents (id, experiment_id, document_type,
                markdown_content, generated_at, model, status)
            VALUES (?1, ?2, ?3, '', ?4, ?5, 'generating')
            ON CONFLICT (experiment_id, document_type) DO UPDATE SET markdown_content = '', metadata = NULL,
                generated_at = excluded.generated_at, model = excluded.model, status = 'generating',
                error_message = NULL
            WHERE status <> 'generating'
            RETURNING id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &pending.experiment_id)])
            .await?;
        let pending = pending.clone();
        self.db
            .write("experiment_documents.create_pending", move |session| {
                let row = params![
                    pending.id,
                    pending.experiment_id,
                    pending.document_type.as_str(),
                    pending.generated_at.to_iso(),
                    pending.model,
                ];
                let parent = ("experiments", "id", pending.experiment_id.as_str());
                session
                    .query_opt(SQL, row, document_from_row)
                    .map_err(|error| session.name_parent(error, &[parent]))
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str =
            "SELECT id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message
            FROM experiment_documents WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("experiment_documents.get", move |session| {
                session.query_opt(SQL, [&id], document_from_row)
            })
            .await
    }

    async fn find(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
    ) -> StoreResult<Option<ExperimentDocument>> {
        const SQL: &str =
            "SELECT id, experiment_id, document_type, markdown_content, metadata, generated_at, model,
                status, error_message
            FROM experiment_documents WHERE experiment_id = ?1 AND document_type = ?2";
        let experiment_id = experiment_id.to_owned();
        self.db
            .look_up("experiment_documents.find", move |session| {
                session.query_opt(
                    SQL,
                    params![experiment_id, document_type.as_str()],
                    document_from_row,
                )
            })
            .await
    }

    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<DocumentSummary>> {
        const SQL: &str = concat!(
            "SELECT id, document_type, status, generated_at, model
            FROM experiment_documents WHERE experiment_id = ?1
            ORDER BY ",
            newest_first!("generated_at"),
            ", document_type"
        );
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("experiment_documents.list_by_experiment", move |session| {
                session.query(SQL, [experiment_id], summary_from_row)
            })
            .await
    }

    async fn markdown(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
    ) -> StoreResult<Option<String>> {
        const SQL: &str = "SELECT markdown_content FROM experiment_documents
            WHERE experiment_id = ?1 AND document_type = ?2 AND status = 'completed'";
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("experiment_documents.markdown", move |session| {
                session.query_opt(SQL, params![experiment_id, document_type.as_str()], |columns| {
                    columns.text()
                })
            })
            .await
    }

    async fn completed_by_experiment(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, Vec<DocumentType>>> {
        // The plus keeps the planner from going through all completed ones by the index on the status.
        const SQL: &str = "SELECT experiment_id, document_type FROM experiment_documents
            WHERE experiment_id IN (SELECT value FROM json_each(?1)) AND +status = 'completed'
            ORDER BY document_type";
        let ids = json_array(experiment_ids);
        let found = self
            .db
            .read("experiment_documents.completed_by_experiment", move |session| {
                session.query(SQL, [ids], |columns| {
                    Ok((columns.text()?, columns.text_enum::<DocumentType>()?))
                })
            })
            .await?;
        let mut completed: HashMap<String, Vec<DocumentType>> = HashMap::new();
        for (experiment_id, document_type) in found {
            if let Stored::Known(document_type) = document_type {
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
        const SQL: &str = "UPDATE experiment_documents SET status = ?3,
                markdown_content = coalesce(?4, markdown_content), metadata = coalesce(?5, metadata),
                error_message = coalesce(?6, error_message), generated_at = coalesce(?7, generated_at)
            WHERE experiment_id = ?1 AND document_type = ?2";
        let (experiment_id, progress) = (experiment_id.to_owned(), progress.clone());
        self.db
            .write("experiment_documents.update", move |session| {
                let row = params![
                    experiment_id,
                    document_type.as_str(),
                    progress.status.as_str(),
                    progress.markdown_content,
                    progress.metadata.as_ref().map(Json::as_str),
                    progress.error_message,
                    progress.generated_at.map(Timestamp::to_iso),
                ];
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn delete(&self, experiment_id: &str, document_type: DocumentType) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM experiment_documents WHERE experiment_id = ?1 AND document_type = ?2";
        let experiment_id = experiment_id.to_owned();
        self.db
            .write("experiment_documents.delete", move |session| {
                Ok(session.execute(SQL, params![experiment_id, document_type.as_str()])? > 0)
            })
            .await
    }
}
