//! What the applications do with their repositories: rules checked, repositories composed. Imports domain and ports only.

pub mod lab;
pub mod market;
pub mod writer;

use cutover_ports::StoreError;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// The request breaks a rule.
    #[error("{message}")]
    Invalid {
        /// Which of its fields.
        field: &'static str,
        /// The rule, in words.
        message: String,
    },
    /// What the request is about does not exist, in words.
    #[error("{0}")]
    NotFound(String),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UseCaseError {
    /// A request that breaks a rule.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }

    /// A thing of this kind, capitalised, that does not exist.
    pub fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound(format!("{what} {id} not found"))
    }
}
