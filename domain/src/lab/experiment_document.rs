//! Documents written about an experiment: its summary, its PR/FAQ, its executive summary.

use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What a document is.
    DocumentType {
        /// A summary of the interviews.
        Summary = "summary",
        /// A press release with questions and answers.
        Prfaq = "prfaq",
        /// A summary of the analysis.
        ExecutiveSummary = "executive_summary",
    }
}

text_enum! {
    /// How far a document is.
    DocumentStatus {
        /// Not begun; never written by the original application.
        Pending = "pending",
        /// Being written. A crash leaves it so for ever; only deleting the document frees it.
        Generating = "generating",
        /// Done.
        Completed = "completed",
        /// Given up.
        Failed = "failed",
        /// Done in part; never written by the original application.
        Partial = "partial",
    }
}

/// A document. An experiment has at most one of each type.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentDocument {
    /// `doc_` and eight hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The experiment.
    pub experiment_id: String,
    /// What it is.
    pub document_type: Stored<DocumentType>,
    /// Its text; empty while it is being written.
    pub markdown_content: String,
    /// What it was made from.
    pub metadata: Option<Json>,
    /// When it was written, or its writing begun.
    pub generated_at: Stored<Timestamp>,
    /// The language model.
    pub model: Option<String>,
    /// How far it is.
    pub status: Stored<DocumentStatus>,
    /// Why writing it failed.
    pub error_message: Option<String>,
}

/// A document without its text, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentSummary {
    /// Its key.
    pub id: String,
    /// What it is.
    pub document_type: Stored<DocumentType>,
    /// How far it is.
    pub status: Stored<DocumentStatus>,
    /// When it was written, or its writing begun.
    pub generated_at: Stored<Timestamp>,
    /// The language model.
    pub model: Option<String>,
}

impl DocumentSummary {
    /// Whether the document can be read.
    pub fn is_available(&self) -> bool {
        self.status == Stored::Known(DocumentStatus::Completed)
    }
}

/// A document about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDocument {
    /// Its key, unless the experiment has a document of this type already: that one's key stays.
    pub id: String,
    /// The experiment.
    pub experiment_id: String,
    /// What it will be.
    pub document_type: DocumentType,
    /// The language model.
    pub model: String,
    /// Now.
    pub generated_at: Timestamp,
}

/// A step of a document: its new status, and what is known by then. What is `None` stays.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentProgress {
    /// The new status.
    pub status: DocumentStatus,
    /// Its text.
    pub markdown_content: Option<String>,
    /// What it was made from.
    pub metadata: Option<Json>,
    /// Why writing it failed.
    pub error_message: Option<String>,
    /// When it was written.
    pub generated_at: Option<Timestamp>,
}

impl DocumentProgress {
    /// A new status at `now`, which is when the document was written if it is complete.
    pub fn to(status: DocumentStatus, now: Timestamp) -> Self {
        Self {
            status,
            markdown_content: None,
            metadata: None,
            error_message: None,
            generated_at: (status == DocumentStatus::Completed).then_some(now),
        }
    }
}

/// Whether `id` is `doc_` and eight lower-case hexadecimal digits.
pub fn is_document_id(id: &str) -> bool {
    super::is_prefixed_hex(id, "doc_", 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_completion_says_when_a_document_was_written() {
        let now = Timestamp::from_micros(1).unwrap();
        for status in DocumentStatus::ALL {
            assert_eq!(
                DocumentProgress::to(*status, now).generated_at.is_some(),
                *status == DocumentStatus::Completed
            );
        }
    }

    #[test]
    fn document_ids() {
        assert!(is_document_id("doc_0123abcd"));
        for id in ["doc_0123ABCD", "doc_0123abc", "doc_0123abcde", "dok_0123abcd", ""] {
            assert!(!is_document_id(id), "{id}");
        }
    }
}
