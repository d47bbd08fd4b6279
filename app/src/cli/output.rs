//! How a command ends: its exit code, its one document or its text, its errors.

use std::io::Write as _;
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
    /// 3: a database cannot be reached.
    Unreachable,
    /// 4: refused to protect data.
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

/// Where a command writes its result. With `--json` standard output holds one JSON document and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Lines for a person.
    Text,
    /// One document for a machine.
    Json,
}

impl Output {
    /// From a command's `--json` flag.
    pub fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// Writes the result: `text` or `document`, whichever was asked for.
    pub fn write(self, text: impl FnOnce() -> String, document: impl FnOnce() -> serde_json::Value) {
        let mut result = match self {
            Self::Text => printable(&text()),
            Self::Json => document().to_string(),
        };
        if !result.is_empty() && !result.ends_with('\n') {
            result.push('\n');
        }
        // A reader that went away (a closed pipe) is no error of ours.
        std::io::stdout().write_all(result.as_bytes()).unwrap_or_default();
    }
}

/// Prints what the command-line parser has to say: help and versions end well, mistakes with 2.
pub(super) fn usage(error: &clap::Error) -> Exit {
    error.print().unwrap_or_default();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}

/// Prints an error for a person.
pub(super) fn failure(error: &CliError) -> Exit {
    writeln!(std::io::stderr(), "cutover: {error}").unwrap_or_default();
    error.exit
}

/// Text with names and SQL of somebody else's, for a terminal: what would move its cursor or set its colours is spelled out.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// The same as one line.
pub(super) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_moves_no_cursor() {
        assert_eq!(
            printable("a\u{1b}[2J\r é😀\n\tb\0"),
            "a\\u{1b}[2J\\r é😀\n\tb\\u{0}"
        );
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
