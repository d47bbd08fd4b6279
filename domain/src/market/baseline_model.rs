//! Models that predictions are compared with. The original program has the table and nothing that uses it.

use crate::stored::Stored;
use crate::time::Timestamp;

/// A model, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineModel {
    /// The row's number.
    pub id: i64,
    /// Its name; no other has it.
    pub name: String,
    /// What else is known of it.
    pub fields: BaselineModelFields,
    /// When it was stored.
    pub created_at: Option<Stored<Timestamp>>,
    /// When a value of it last changed; none if none ever did.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// What is known of a model besides its name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BaselineModelFields {
    /// What it is.
    pub description: Option<String>,
    /// Its parameters, JSON as text, as it was given.
    pub parameters: Option<String>,
    /// Whether it is in use.
    pub is_active: Option<Stored<bool>>,
}
