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
    /// What the request is about does not exist.
    #[error("{what} {id} not found")]
    NotFound {
        /// The kind of thing, capitalised, for people.
        what: &'static str,
        /// Its key.
        id: String,
    },
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

    /// Something that does not exist.
    pub fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound {
            what,
            id: id.to_owned(),
        }
    }
}
