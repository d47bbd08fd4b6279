//! What is known of uploaded files.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::writer::file::FileMetadata;

use crate::StoreResult;

/// Some of the files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FilePage {
    /// What is known of them. An id that is no UTF-8 comes with replacement characters.
    pub files: Vec<FileMetadata>,
    /// The place behind the last of them, unless no file can stand there.
    pub next: Option<String>,
}

/// What is known of uploaded files (`file_metadata`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FileRepository: Send + Sync {
    /// Stores what is known of a new file. A taken id is `Conflict("file_metadata.id")`.
    async fn insert(&self, file: &FileMetadata) -> StoreResult<()>;

    /// The file, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<FileMetadata>>;

    /// At most `limit` files behind the place `after`, or from the first, by id. A place is an id's bytes in hexadecimal digits; each
    /// lies behind the one before, whatever the ids hold.
    async fn list(&self, after: Option<String>, limit: u32) -> StoreResult<FilePage>;

    /// Those of `ids` that are files.
    async fn known(&self, ids: &[String]) -> StoreResult<HashSet<String>>;

    /// Forgets the file; its bytes are not the store's. `false` if there is none.
    async fn delete(&self, id: &str) -> StoreResult<bool>;
}
