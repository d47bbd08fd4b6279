//! Foreign keys whose two tables live in different databases while routing is hybrid.

use async_trait::async_trait;
use cutover_domain::relations::Relation;
use cutover_domain::stored::StoredValue;

use crate::StoreResult;

/// One reference that a row about to be written makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The table referred to.
    pub parent: &'static str,
    /// The key of the row referred to.
    pub key: String,
}

/// Keeps the promises of foreign keys that no database can see whole. An adapter asks it before it writes a row that
/// refers to another repository's table, and around the delete of a row that others refer to. A database in which
/// every repository lives needs none: its own constraints do it all.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ForeignKeys: Send + Sync {
    /// Makes sure that each parent that lives in the other database exists there (`Missing(parent)` if not), and
    /// that this database's own constraint will find it.
    async fn before_write(&self, references: &[Reference]) -> StoreResult<()>;

    /// Refuses (`Conflict("child.column")`) if a row in the other database forbids deleting `parent`'s row `key`.
    async fn before_delete(&self, parent: &'static str, key: &str) -> StoreResult<()>;

    /// Does to the rows in the other database what deleting `parent`'s row `key` promises.
    async fn after_delete(&self, parent: &'static str, key: &str) -> StoreResult<()>;
}

/// A row as it lies in one database: column names and values, instants and documents as their text.
pub type PortableRow = Vec<(String, StoredValue)>;

/// What keeping a foreign key across databases asks of each of them. Table and column names are constants of the
/// domain's relations.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ReferredRows: Send + Sync {
    /// The row of `table` whose `key_column` is `key`.
    async fn row(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
    ) -> StoreResult<Option<PortableRow>>;

    /// Whether that row exists.
    async fn exists(&self, table: &'static str, key_column: &'static str, key: &str) -> StoreResult<bool>;

    /// Stores a copy of a row whose truth is elsewhere, unless the row is there, and notes in the same transaction that
    /// it was planted.
    async fn plant(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
        row: &PortableRow,
    ) -> StoreResult<()>;

    /// What deleting `key` promises to the rows of `relations`, which live here, in one transaction; and the copy of the
    /// deleted row itself goes, unless something still refers to it.
    async fn release(&self, relations: &[&'static Relation], key: &str) -> StoreResult<()>;
}
