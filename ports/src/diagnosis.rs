//! What an examination of a database found, for `cutover doctor`.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, and may hurt later.
    Warning,
    /// Will not work, or loses something.
    Problem,
    /// Nothing can be said, as the database cannot be reached.
    Unreachable,
}

impl Severity {
    /// As in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a role is to do with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Read and write them, and keep the service's own notes.
    Serving,
    /// Count them, and read the notes.
    Looking,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word: `connection`, `tls`, `rights`.
    pub check: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub text: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Ok,
            text: text.into(),
            advice: None,
        }
    }

    /// Something to look after.
    pub fn new(
        check: &'static str,
        severity: Severity,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            check,
            severity,
            text: text.into(),
            advice: Some(advice.into()),
        }
    }

    /// Works, and may hurt later.
    pub fn warning(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Severity::Warning, text, advice)
    }

    /// Will not work, or loses something.
    pub fn problem(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Severity::Problem, text, advice)
    }
}
