//! Documents of experiments.

use std::sync::Arc;

use cutover_domain::lab::experiment_document::{
    DocumentSummary, DocumentType, ExperimentDocument, PendingDocument,
};
use cutover_domain::stored::TextEnum as _;
use cutover_ports::StoreError;
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::{ExperimentDocumentRepository, LabRepositories};

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// What can be done with documents.
#[derive(Clone)]
pub struct Documents {
    store: Arc<dyn ExperimentDocumentRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// On these repositories.
    pub fn new(lab: &LabRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store: Arc::clone(&lab.experiment_documents),
            clock,
            ids,
        }
    }

    /// The experiment's documents without their texts; none, if there is no such experiment.
    pub async fn list(&self, experiment_id: &str) -> Result<Vec<DocumentSummary>, UseCaseError> {
        Ok(self.store.list_by_experiment(experiment_id).await?)
    }

    /// The experiment's document of this type.
    pub async fn get(
        &self,
        experiment_id: &str,
        kind: DocumentType,
    ) -> Result<ExperimentDocument, UseCaseError> {
        let document = self.store.find(experiment_id, kind).await?;
        document.ok_or_else(|| no_document(experiment_id, kind))
    }

    /// The text of a completed document.
    pub async fn markdown(&self, experiment_id: &str, kind: DocumentType) -> Result<String, UseCaseError> {
        let text = self.store.markdown(experiment_id, kind).await?;
        text.ok_or_else(|| no_document(experiment_id, kind))
    }

    /// Notes that a document is being written; its id, unless it was being written already.
    pub async fn begin(
        &self,
        experiment_id: &str,
        kind: DocumentType,
        model: &str,
    ) -> Result<Option<String>, UseCaseError> {
        let mut pending = PendingDocument {
            id: String::new(),
            experiment_id: experiment_id.to_owned(),
            document_type: kind,
            model: model.to_owned(),
            generated_at: self.clock.now(),
        };
        for _ in 0..ID_ATTEMPTS {
            pending.id = format!("doc_{}", self.ids.hex(8));
            match self.store.create_pending(&pending).await {
                Ok(document) => return Ok(document.map(|document| document.id)),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Missing(_)) => {
                    return Err(UseCaseError::not_found("Experiment", experiment_id));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("experiment_documents.id").into())
    }

    /// Deletes a document.
    pub async fn delete(&self, experiment_id: &str, kind: DocumentType) -> Result<(), UseCaseError> {
        if self.store.delete(experiment_id, kind).await? {
            Ok(())
        } else {
            let message = format!(
                "Document {} not found for experiment {experiment_id}",
                kind.as_str()
            );
            Err(UseCaseError::NotFound(message))
        }
    }
}

fn no_document(experiment_id: &str, kind: DocumentType) -> UseCaseError {
    let message = format!(
        "Document '{}' not found for experiment {experiment_id}",
        kind.as_str()
    );
    UseCaseError::NotFound(message)
}
