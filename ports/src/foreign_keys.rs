//! Foreign keys whose two tables live in different databases while routing is hybrid.

use async_trait::async_trait;

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
