//! Documents of experiments.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::experiment_document::{
    DocumentProgress, DocumentSummary, DocumentType, ExperimentDocument, PendingDocument,
};

use crate::StoreResult;

/// Documents of experiments (`experiment_documents`), at most one of each type for each experiment.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ExperimentDocumentRepository: Send + Sync {
    /// Stores a document in place of the one with its id and of the experiment's one of its type, which may be two
    /// different ones. An experiment that does not exist is `Missing("experiments")`; then nothing has changed.
    async fn save(&self, document: &ExperimentDocument) -> StoreResult<()>;

    /// Stores an empty document that is being generated, unless the experiment's one of this type is being generated
    /// already: then `None`. A document that is there in another state keeps its id and loses its text, metadata and
    /// error. Of several callers at once exactly one gets the document. An id that another document has is
    /// `Conflict("experiment_documents.id")`, an experiment that does not exist `Missing("experiments")`.
    async fn create_pending(&self, pending: &PendingDocument) -> StoreResult<Option<ExperimentDocument>>;

    /// The document, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<ExperimentDocument>>;

    /// The experiment's document of this type, or `None`.
    async fn find(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
    ) -> StoreResult<Option<ExperimentDocument>>;

    /// The experiment's documents without their texts, newest first, then by type.
    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<DocumentSummary>>;

    /// The text of the experiment's document of this type, if it is completed.
    async fn markdown(&self, experiment_id: &str, document_type: DocumentType)
    -> StoreResult<Option<String>>;

    /// The types of the completed documents of each of these experiments, in the order of their names; experiments
    /// without any are absent.
    async fn completed_by_experiment(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, Vec<DocumentType>>>;

    /// Sets the status and what else `progress` holds; `false` if there is no such document.
    async fn update(
        &self,
        experiment_id: &str,
        document_type: DocumentType,
        progress: &DocumentProgress,
    ) -> StoreResult<bool>;

    /// Deletes the document; `false` if there is none.
    async fn delete(&self, experiment_id: &str, document_type: DocumentType) -> StoreResult<bool>;
}
