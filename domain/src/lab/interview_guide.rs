//! Interview guides: what an interviewer is told about an experiment.

use crate::stored::Stored;
use crate::time::Timestamp;

/// A guide. An experiment has at most one.
#[derive(Debug, Clone, PartialEq)]
pub struct InterviewGuide {
    /// The experiment, which is the guide's key.
    pub experiment_id: String,
    /// What the interviews are about.
    pub context_definition: Option<String>,
    /// What to ask.
    pub questions: Option<String>,
    /// Examples of the context.
    pub context_examples: Option<String>,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// A change of a guide's texts: what is `None` stays. A text cannot be taken away, only emptied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterviewGuideChange {
    /// The new definition.
    pub context_definition: Option<String>,
    /// The new questions.
    pub questions: Option<String>,
    /// The new examples.
    pub context_examples: Option<String>,
}
