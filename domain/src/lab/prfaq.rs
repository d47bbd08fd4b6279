//! Press releases with questions and answers, as the application kept them before experiments had documents. The texts
//! in old files exist nowhere else.

use super::synth::SortDirection;
use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// How far a PR/FAQ is.
    PrfaqStatus {
        /// Being written. A crash leaves it so for ever.
        Generating = "generating",
        /// Done.
        Completed = "completed",
        /// Given up.
        Failed = "failed",
    }
}

text_enum! {
    /// What checking a PR/FAQ has shown.
    ValidationStatus {
        /// It is well formed.
        Valid = "valid",
        /// It is not.
        Invalid = "invalid",
        /// It was not checked yet.
        Pending = "pending",
    }
}

/// A PR/FAQ. An execution has at most one; in old files the execution may be gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Prfaq {
    /// All but the texts.
    pub summary: PrfaqSummary,
    /// Its text.
    pub markdown_content: Option<String>,
    /// Its parts.
    pub json_content: Option<Json>,
    /// Why writing it failed.
    pub error_message: Option<String>,
}

/// A PR/FAQ as lists show it. Any of it may be missing, also in a row that is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct PrfaqSummary {
    /// The execution, which is the key.
    pub exec_id: String,
    /// When it was written.
    pub generated_at: Option<Stored<Timestamp>>,
    /// The language model.
    pub model: Option<String>,
    /// What checking it has shown.
    pub validation_status: Option<Stored<ValidationStatus>>,
    /// How sure the writer is, 0 to 1.
    pub confidence_score: Option<Stored<f64>>,
    /// The release's headline.
    pub headline: Option<String>,
    /// The release in one line.
    pub one_liner: Option<String>,
    /// How many questions it answers.
    pub faq_count: Option<Stored<i64>>,
    /// How far it is.
    pub status: Option<Stored<PrfaqStatus>>,
    /// When writing it began.
    pub started_at: Option<Stored<Timestamp>>,
}

/// A step of a PR/FAQ: its new status, and what is known by then. What is `None` stays.
#[derive(Debug, Clone, PartialEq)]
pub struct PrfaqProgress {
    /// The new status.
    pub status: PrfaqStatus,
    /// When it was written.
    pub generated_at: Option<Timestamp>,
    /// Why writing it failed.
    pub error_message: Option<String>,
    /// Its text.
    pub markdown_content: Option<String>,
    /// Its parts.
    pub json_content: Option<Json>,
    /// The release's headline.
    pub headline: Option<String>,
    /// The release in one line.
    pub one_liner: Option<String>,
    /// How many questions it answers.
    pub faq_count: Option<i64>,
    /// What checking it has shown.
    pub validation_status: Option<ValidationStatus>,
    /// How sure the writer is.
    pub confidence_score: Option<f64>,
}

impl PrfaqProgress {
    /// A new status at `now`, which is when the PR/FAQ was written if it is complete.
    pub fn to(status: PrfaqStatus, now: Timestamp) -> Self {
        Self {
            status,
            generated_at: (status == PrfaqStatus::Completed).then_some(now),
            error_message: None,
            markdown_content: None,
            json_content: None,
            headline: None,
            one_liner: None,
            faq_count: None,
            validation_status: None,
            confidence_score: None,
        }
    }
}

text_enum! {
    /// What a list of PR/FAQs can be ordered by.
    PrfaqSort {
        /// The key.
        ExecId = "exec_id",
        /// When it was written.
        GeneratedAt = "generated_at",
        /// The language model.
        Model = "model",
        /// What checking it has shown, by its stored text.
        ValidationStatus = "validation_status",
        /// How sure the writer is.
        ConfidenceScore = "confidence_score",
        /// The release's headline.
        Headline = "headline",
        /// The release in one line.
        OneLiner = "one_liner",
        /// How many questions it answers.
        FaqCount = "faq_count",
        /// The status, by its stored text.
        Status = "status",
        /// When writing it began.
        StartedAt = "started_at",
    }
}

/// The order of a list of PR/FAQs; equal ones follow each other by `exec_id`. What is missing is least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrfaqOrder {
    /// Ordered by what.
    pub sort: PrfaqSort,
    /// From which end.
    pub direction: SortDirection,
}

impl Default for PrfaqOrder {
    /// Newest first.
    fn default() -> Self {
        Self {
            sort: PrfaqSort::GeneratedAt,
            direction: SortDirection::Descending,
        }
    }
}
