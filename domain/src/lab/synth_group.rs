//! Groups of synths.

use crate::stored::Stored;
use crate::time::Timestamp;

/// The group that exists from the start and takes synths without one.
pub const DEFAULT_GROUP_ID: &str = "grp_00000001";
/// Its name.
pub const DEFAULT_GROUP_NAME: &str = "Default";
/// Its description, in the language of the application.
pub const DEFAULT_GROUP_DESCRIPTION: &str = "Grupo padrão para synths sem grupo específico";

/// A named group of synths. Names are not unique.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthGroup {
    /// `grp_` and eight hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// Not blank, by the application's rule.
    pub name: String,
    /// May be empty, which is not the same as none.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
}

impl SynthGroup {
    /// The default group, made at `created_at`.
    pub fn default_group(created_at: Timestamp) -> Self {
        Self {
            id: DEFAULT_GROUP_ID.to_owned(),
            name: DEFAULT_GROUP_NAME.to_owned(),
            description: Some(DEFAULT_GROUP_DESCRIPTION.to_owned()),
            created_at: created_at.into(),
        }
    }
}

/// Whether `id` is `grp_` and eight lower-case hexadecimal digits.
pub fn is_group_id(id: &str) -> bool {
    super::is_prefixed_hex(id, "grp_", 8)
}
