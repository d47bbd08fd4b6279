//! Foreign keys whose two tables live in different databases while routing is hybrid.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cutover_domain::relations::Relation;
use cutover_domain::stored::StoredValue;

use crate::{StoreError, StoreResult};

/// One reference that a row about to be written makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The table referred to.
    pub parent: &'static str,
    /// The key of the row referred to.
    pub key: String,
}

/// What nobody else may do to some keys while it lives; it may hold nothing. Keep it until the write is done.
#[must_use = "what is held is let go at once if nobody keeps it"]
#[derive(Default)]
pub struct Held(Option<Box<dyn Any + Send>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.0.is_some()).finish()
    }
}

impl Held {
    /// Held until `lock` is dropped.
    pub fn by(lock: impl Any + Send) -> Self {
        Self(Some(Box::new(lock)))
    }
}

/// Keeps the promises of foreign keys that no database can see whole. An adapter asks it before it writes a row that
/// refers to another repository's table, and around the delete of a row that others refer to. A database in which
/// every repository lives needs none: its own constraints do it all.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ForeignKeys: Send + Sync {
    /// Holds the parents in `written` that live in the other database, so that nobody deletes them, and those in `deleted` that rows
    /// of the other database may refer to, so that nobody writes such a row. Asked before the questions below, and kept until what
    /// they are asked for is written: else their answers are old by then.
    async fn hold(&self, written: &[Reference], deleted: &[Reference]) -> StoreResult<Held>;

    /// Makes sure that each parent that lives in the other database exists there (`Missing(parent)` if not), and
    /// that this database's own constraint will find it.
    async fn before_write(&self, references: &[Reference]) -> StoreResult<()>;

    /// Refuses (`Conflict("child.column")`) if a row in the other database forbids deleting `parent`'s row `key`, and
    /// fails if that database does not answer: the delete would be half a delete.
    async fn before_delete(&self, parent: &'static str, key: &str) -> StoreResult<()>;

    /// Does to the rows in the other database what deleting `parent`'s row `key` promises. Only for a row that was there: what
    /// refers to a row long gone, as old files do, stays as it is.
    async fn after_delete(&self, parent: &'static str, key: &str) -> StoreResult<()>;
}

/// [`ForeignKeys`] as a database has them: none, unless some parents or children of its rows live in the other one.
#[derive(Clone, Default)]
pub struct KeysAcross(Option<Arc<dyn ForeignKeys>>);

impl fmt::Debug for KeysAcross {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeysAcross").field(&self.any()).finish()
    }
}

impl KeysAcross {
    /// Kept by `keys`.
    pub fn kept_by(keys: Arc<dyn ForeignKeys>) -> Self {
        Self(Some(keys))
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.0.is_some()
    }

    /// See [`ForeignKeys::before_write`]; each reference is a table and a key. What it gives is kept until the row is written.
    pub async fn before_write(&self, references: &[(&'static str, &str)]) -> StoreResult<Held> {
        self.before_replace(references, None).await
    }

    /// As [`KeysAcross::before_write`], and [`ForeignKeys::before_delete`] for the row, a table and a key, that the write replaces.
    pub async fn before_replace(
        &self,
        references: &[(&'static str, &str)],
        replaced: Option<(&'static str, &str)>,
    ) -> StoreResult<Held> {
        let Some(keys) = &self.0 else {
            return Ok(Held::default());
        };
        let reference = |&(parent, key): &(&'static str, &str)| Reference {
            parent,
            key: key.to_owned(),
        };
        let written: Vec<Reference> = references.iter().map(reference).collect();
        let deleted: Vec<Reference> = replaced.iter().map(reference).collect();
        let held = keys.hold(&written, &deleted).await?;
        keys.before_write(&written).await?;
        for Reference { parent, key } in &deleted {
            keys.before_delete(parent, key).await?;
        }
        Ok(held)
    }

    /// See [`ForeignKeys::after_delete`]. Whatever fails here fails behind a delete that is done, so that none can say that nothing
    /// was written: it is `Indeterminate`.
    pub async fn after_delete(&self, parent: &'static str, key: &str) -> StoreResult<()> {
        match &self.0 {
            Some(keys) => keys
                .after_delete(parent, key)
                .await
                .map_err(|error| StoreError::Indeterminate(error.into())),
            None => Ok(()),
        }
    }

    /// Runs `delete`, which deletes `parent`'s row `key` and says how many rows that were, with what comes before it and what
    /// comes after; whether there was such a row.
    pub async fn around_delete(
        &self,
        parent: &'static str,
        key: &str,
        delete: impl Future<Output = StoreResult<u64>> + Send,
    ) -> StoreResult<bool> {
        let _held = self.before_replace(&[], Some((parent, key))).await?;
        let deleted = delete.await? > 0;
        if deleted {
            self.after_delete(parent, key).await?;
        }
        Ok(deleted)
    }
}

/// A key to lock, for [`KeyLocks`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyLock {
    /// The key's table.
    pub table: &'static str,
    /// The key.
    pub key: String,
    /// Whether nobody else may hold it at the same time; else all may who do not ask for that.
    pub exclusive: bool,
}

/// Locks that every instance of the service sees.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait KeyLocks: Send + Sync {
    /// Waits for all of `locks`, in the order of their keys, so that no two callers wait for each other; `Unavailable` if that takes
    /// too long.
    async fn lock(&self, locks: &[KeyLock]) -> StoreResult<Held>;
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
    /// it was planted. `Conflict` if another row has a value that must be unique, and `Invalid` if this database cannot hold it.
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
