//! What pieces of work on a table keep from each other.

/// How a piece of work holds a table while it lasts: what PostgreSQL's table locks come to between the steps of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Looks up rows: the parent of a foreign key.
    Reads,
    /// Loads rows or builds an index, beside others that do.
    Builds,
    /// Changes what is known of the rows: holds a constraint against them, or makes figures.
    Changes,
    /// Changes what the table is.
    Alone,
}

impl Lock {
    /// Whether both can hold the same table.
    pub fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Alone, _) | (_, Self::Alone) => false,
            (Self::Reads, _) | (_, Self::Reads) | (Self::Builds, Self::Builds) => true,
            (Self::Changes, _) | (_, Self::Changes) => false,
        }
    }
}
