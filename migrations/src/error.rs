//! Why a migration did not do what it was asked.

/// The ways to fail, by what a person can do about it; the message says what, where and what to do.
/// None ever holds a password.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The question itself is wrong: an unknown version, a name that cannot be a file's.
    #[error("{0}")]
    Usage(String),
    /// The database cannot be reached or used, or something else holds it for too long: what was begun can be run again.
    #[error("{0}")]
    Unreachable(String),
    /// Refused to protect data: an edited migration, a file that is not what it should be, tables that hold rows.
    #[error("{0}")]
    Refused(String),
    /// The database said no.
    #[error("{0}")]
    Failed(String),
}

/// What everything here returns.
pub type Result<T> = std::result::Result<T, MigrateError>;

impl MigrateError {
    /// The same error, its message preceded by what was being done.
    pub(crate) fn context(self, what: &str) -> Self {
        match self {
            Self::Usage(message) => Self::Usage(format!("{what}: {message}")),
            Self::Unreachable(message) => Self::Unreachable(format!("{what}: {message}")),
            Self::Refused(message) => Self::Refused(format!("{what}: {message}")),
            Self::Failed(message) => Self::Failed(format!("{what}: {message}")),
        }
    }
}
