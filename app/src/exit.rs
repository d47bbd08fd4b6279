//! How the program ends, and why it could not do its work.

use std::process::{ExitCode, Termination};

use crate::config::ConfigError;

/// The exit codes (documented in the README; scripts rely on them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: done, and something is wrong: a difference, rejects, drift.
    Wrong,
    /// 2: usage or configuration.
    Usage,
    /// 3: a database cannot be reached or used, or the result not written.
    Unreachable,
    /// 4: refused: to protect data, or by the database for want of a right.
    Refused,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Wrong => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// Why a command could not do its work: a sentence that says what, where and what to do, and how the program ends.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// How the program ends.
    pub exit: Exit,
    /// For a person.
    pub message: String,
}

impl CliError {
    /// An error that ends the program with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}
