//! What a command prints: its one document or its text, its errors.

use std::io::{ErrorKind, Write as _};

use serde_json::json;

use crate::exit::{CliError, Exit};
use crate::printable::printable;

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

    /// Writes the result: `text` or `document`, whichever was asked for. An error is one of whatever it is written to (a full disk): a
    /// report that nobody can read must not look like a good one.
    pub fn write(
        self,
        text: impl FnOnce() -> String,
        document: impl FnOnce() -> serde_json::Value,
    ) -> Result<(), CliError> {
        let mut result = match self {
            Self::Text => printable(&text()),
            Self::Json => document().to_string(),
        };
        if !result.is_empty() && !result.ends_with('\n') {
            result.push('\n');
        }
        let mut stdout = std::io::stdout();
        told(stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Prints an error for a person, and in place of the document for a machine.
    pub(super) fn failure(self, error: &CliError) -> Exit {
        writeln!(std::io::stderr(), "cutover: {}", printable(&error.message)).unwrap_or_default();
        self.refuse(error.exit, &error.message);
        error.exit
    }

    /// Prints what the command-line parser has to say: help and versions end well, mistakes with 2.
    pub(super) fn usage(self, error: &clap::Error) -> Exit {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        if !error.use_stderr() {
            return told(printed).map_or_else(|error| self.failure(&error), |()| Exit::Done);
        }
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        self.refuse(Exit::Usage, text);
        Exit::Usage
    }

    /// The document of an error, for a machine.
    fn refuse(self, exit: Exit, message: &str) {
        let document = || json!({"ok": false, "exit": exit.code(), "error": message});
        if let Err(unwritten) = self.write(String::new, document) {
            writeln!(std::io::stderr(), "cutover: {unwritten}").unwrap_or_default();
        }
    }
}

/// What came of writing to standard output.
fn told(written: std::io::Result<()>) -> Result<(), CliError> {
    match written {
        // A reader that went away (a closed pipe) is no error of ours.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::new(
            Exit::Unreachable,
            format!("the result cannot be written to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}
