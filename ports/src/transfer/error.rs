//! Why a transfer did not do what it was asked. The variant decides the exit code; the text is for a person.

/// What the transfer's ports return.
pub type TransferResult<T> = Result<T, TransferError>;

/// The ways in which a transfer ends early. Every text is one sentence that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A database cannot be opened, reached or read as a whole: no such file, not a database, cut, corrupt, locked, the
    /// connection refused or lost. Exit code 3.
    #[error("{0}")]
    Unreachable(String),
    /// Going on could harm data: rows in the target, a changed source, another copy at work. Exit code 4.
    #[error("{0}")]
    Refused(String),
    /// What was asked cannot be done as asked: names, options. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// A constraint of the target refused rows; nothing of the current step was written.
    #[error("{table}: the constraint {constraint} refused a row: {message}")]
    Constraint {
        /// The table.
        table: String,
        /// The constraint.
        constraint: String,
        /// What the database said.
        message: String,
    },
    /// The target cannot compute columns of a table as its source does, for all rows; nothing of the current step was written. A copy
    /// goes on with their values.
    #[error("PostgreSQL cannot compute columns of {table}: {message}")]
    Computed {
        /// The table, by its name in the source.
        table: String,
        /// What the database said.
        message: String,
    },
    /// The target refused a row that was expected to fit; nothing of the current step was written. Exit code 1.
    #[error("{row} was refused: {message}")]
    Data {
        /// `a row of t` or, where it is known, `t.c where id = 5`.
        row: String,
        /// What the database said.
        message: String,
    },
    /// Anything else. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl TransferError {
    /// What reads a table has stopped without telling of its end, which is no end.
    pub fn cut_short(table: &str) -> Self {
        Self::Failed(format!(
            "the table {table} was not read to its end, because what read it has stopped; this is a mistake of Cutover"
        ))
    }

    /// The same error, whose text goes on with `more`.
    #[must_use]
    pub fn and(self, more: &str) -> Self {
        let and = |text: String| format!("{text}; {more}");
        match self {
            Self::Unreachable(text) => Self::Unreachable(and(text)),
            Self::Refused(text) => Self::Refused(and(text)),
            Self::Usage(text) => Self::Usage(and(text)),
            Self::Constraint {
                table,
                constraint,
                message,
            } => Self::Constraint {
                table,
                constraint,
                message: and(message),
            },
            Self::Computed { table, message } => Self::Computed {
                table,
                message: and(message),
            },
            Self::Data { row, message } => Self::Data {
                row,
                message: and(message),
            },
            Self::Failed(text) => Self::Failed(and(text)),
        }
    }
}
