//! Why a store did not do what it was asked.

/// The cause underneath, for logs.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a port method returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// The few ways in which a store can fail. Callers decide by the variant, never by the message.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with this key exists already, or rows that refer to it forbid the change. The key is
    /// `table.column` (`experiments.id`), or for a foreign key that forbids a delete `child.column`.
    #[error("{0} is in conflict with a row that is already there")]
    Conflict(String),
    /// The row to change, or a row referred to, does not exist. The key is the table's name.
    #[error("no such row in {0}")]
    Missing(String),
    /// The value breaks a rule of the store: a check, a type, a text that the database cannot hold.
    #[error("{what} cannot be stored: {reason}")]
    Invalid {
        /// `table.column`, or what kind of thing it is.
        what: String,
        /// The rule, in words.
        reason: String,
    },
    /// A stored value cannot be read at all.
    #[error("stored value {table}.{column} cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be reached or is busy. Nothing was written; trying again is safe.
    #[error("the store is unavailable, nothing was written: {0}")]
    Unavailable(#[source] BoxError),
    /// The store takes no writes, and trying again does not help before somebody has mended that. Nothing was written; the words say why, and
    /// no place or statement.
    #[error("the database takes no writes: {0}")]
    Unwritable(&'static str),
    /// The store is of an older version, which cannot keep all of it. Nothing was written; the words name what is missing and the command
    /// that adds it, and no place or statement.
    #[error("{0}")]
    Outdated(String),
    /// The connection was lost while committing: the write may or may not have happened. Read before trying again.
    #[error("the outcome of the write is unknown: {0}")]
    Indeterminate(#[source] BoxError),
    /// The repository lives in the other database now (live cutover); ask the routing again.
    #[error("{0} has moved to the other database")]
    Moved(String),
    /// Anything else the database said.
    #[error("the store failed: {0}")]
    Backend(#[source] BoxError),
}

impl StoreError {
    /// The `Unwritable` of a server that only reads.
    pub const READ_ONLY: Self = Self::Unwritable("it is a standby, or its transactions are read-only");

    /// The `Unwritable` of a full disk.
    pub const NO_ROOM: Self = Self::Unwritable("there is no room left on its disk");

    /// A `Conflict` on `table.column`.
    pub fn conflict(key: impl Into<String>) -> Self {
        Self::Conflict(key.into())
    }

    /// A `Missing` row of `table`.
    pub fn missing(table: impl Into<String>) -> Self {
        Self::Missing(table.into())
    }

    /// An `Invalid` value.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            reason: reason.into(),
        }
    }

    /// The `Invalid` of a row that breaks a check. It does not name the check, which the databases name differently and clients do not
    /// know; adapters log it.
    pub fn broken_check() -> Self {
        Self::invalid("row", "a rule of its table forbids what it would hold")
    }

    /// The variant's name, for logs and metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Missing(_) => "missing",
            Self::Invalid { .. } => "invalid",
            Self::Corrupt { .. } => "corrupt",
            Self::Unavailable(_) => "unavailable",
            Self::Unwritable(_) => "unwritable",
            Self::Outdated(_) => "outdated",
            Self::Indeterminate(_) => "indeterminate",
            Self::Moved(_) => "moved",
            Self::Backend(_) => "backend",
        }
    }
}
