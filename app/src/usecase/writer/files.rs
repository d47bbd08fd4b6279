//! What is known of uploaded files. Their bytes are kept by somebody else.

use std::collections::HashSet;
use std::sync::Arc;

use cutover_domain::writer::file::FileMetadata;
use cutover_domain::writer::uuid_text;
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::writer::{FilePage, FileRepository, WriterRepositories};

use crate::usecase::UseCaseError;

/// What can be done with files.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn FileRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    /// On these repositories.
    pub fn new(writer: &WriterRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store: Arc::clone(&writer.files),
            clock,
            ids,
        }
    }

    /// An id for a new file.
    pub fn new_id(&self) -> String {
        uuid_text(&self.ids.hex(32))
    }

    /// Notes a file that was uploaded just now.
    pub async fn note(
        &self,
        id: String,
        filename: String,
        content_type: String,
        size: i64,
    ) -> Result<FileMetadata, UseCaseError> {
        let file = FileMetadata {
            id,
            filename,
            content_type,
            size: size.into(),
            created_at: Some(self.clock.now().into()),
        };
        self.store.insert(&file).await?;
        Ok(file)
    }

    /// What is known of the file.
    pub async fn get(&self, id: &str) -> Result<FileMetadata, UseCaseError> {
        // No stored id holds U+0000, which PostgreSQL could not even be asked about.
        let found = if id.contains('\0') {
            None
        } else {
            self.store.get(id).await?
        };
        found.ok_or_else(|| UseCaseError::not_found("File", id))
    }

    /// At most `limit` files behind the place `after`, or from the first, by id.
    pub async fn list(&self, after: Option<String>, limit: u32) -> Result<FilePage, UseCaseError> {
        Ok(self.store.list(after, limit).await?)
    }

    /// Those of `ids` that are files.
    pub async fn known(&self, ids: &[String]) -> Result<HashSet<String>, UseCaseError> {
        Ok(self.store.known(ids).await?)
    }
}
