//! What is known of uploaded files.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::writer::file::FileMetadata;

use crate::StoreResult;

/// What is known of uploaded files (`file_metadata`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FileRepository: Send + Sync {
    /// Stores what is known of a new file. A taken id is `Conflict("file_metadata.id")`.
    async fn insert(&self, file: &FileMetadata) -> StoreResult<()>;

    /// The file, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<FileMetadata>>;

    /// At most `limit` files behind the id `after`, or from the first, by id.
    async fn list(&self, after: Option<String>, limit: u32) -> StoreResult<Vec<FileMetadata>>;

    /// Those of `ids` that are files.
    async fn known(&self, ids: &[String]) -> StoreResult<HashSet<String>>;

    /// Forgets the file; its bytes are not the store's. `false` if there is none.
    async fn delete(&self, id: &str) -> StoreResult<bool>;
}
