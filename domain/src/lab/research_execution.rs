//! Research executions: rounds of interviews with synths, and their transcripts.

use serde::{Deserialize, Deserializer, Serialize};

use super::synth::SortDirection;
use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

/// The model where an execution names none.
pub const DEFAULT_MODEL: &str = "gpt-4o-mini";
/// How often both sides speak where an execution does not say.
pub const DEFAULT_MAX_TURNS: i64 = 6;
/// The status of a finished transcript; the column is free text.
pub const TRANSCRIPT_COMPLETED: &str = "completed";

text_enum! {
    /// How far a round is.
    ExecutionStatus {
        /// Not begun.
        Pending = "pending",
        /// Under way. A crash leaves it so for ever.
        Running = "running",
        /// The interviews are done, their summary is not.
        GeneratingSummary = "generating_summary",
        /// Done.
        Completed = "completed",
        /// Given up.
        Failed = "failed",
    }
}

impl ExecutionStatus {
    /// Whether the round is over.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A round of interviews.
#[derive(Debug, Clone, PartialEq)]
pub struct ResearchExecution {
    /// See [`execution_id`]; not checked anywhere.
    pub exec_id: String,
    /// The experiment, unless the round belongs to none or its experiment is gone.
    pub experiment_id: Option<String>,
    /// See [`interview_topic`]; or the name of a topic guide.
    pub topic_name: String,
    /// How far it is.
    pub status: Stored<ExecutionStatus>,
    /// Interviews planned.
    pub synth_count: Stored<i64>,
    /// Interviews that went well.
    pub successful_count: Option<Stored<i64>>,
    /// Interviews that did not.
    pub failed_count: Option<Stored<i64>>,
    /// The language model.
    pub model: Option<String>,
    /// How often both sides speak.
    pub max_turns: Option<Stored<i64>>,
    /// When it was started.
    pub started_at: Stored<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Stored<Timestamp>>,
    /// What the interviewer was told besides.
    pub additional_context: Option<String>,
}

/// A step of a round: its new status, and what is known by then. What is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionProgress {
    /// The new status.
    pub status: ExecutionStatus,
    /// Interviews that went well.
    pub successful_count: Option<i64>,
    /// Interviews that did not.
    pub failed_count: Option<i64>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl ExecutionProgress {
    /// A new status at `now`, which ends the round if the status is a final one.
    pub fn to(status: ExecutionStatus, now: Timestamp) -> Self {
        Self {
            status,
            successful_count: None,
            failed_count: None,
            completed_at: status.is_final().then_some(now),
        }
    }
}

text_enum! {
    /// What a list of executions can be ordered by.
    ExecutionSort {
        /// The key.
        ExecId = "exec_id",
        /// The experiment.
        ExperimentId = "experiment_id",
        /// The topic.
        TopicName = "topic_name",
        /// The status, by its stored text.
        Status = "status",
        /// Interviews planned.
        SynthCount = "synth_count",
        /// Interviews that went well.
        SuccessfulCount = "successful_count",
        /// Interviews that did not.
        FailedCount = "failed_count",
        /// The language model.
        Model = "model",
        /// How often both sides speak.
        MaxTurns = "max_turns",
        /// When it was started.
        StartedAt = "started_at",
        /// When it ended.
        CompletedAt = "completed_at",
    }
}

/// The order of a list of executions; equal ones follow each other by `exec_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionOrder {
    /// Ordered by what.
    pub sort: ExecutionSort,
    /// From which end.
    pub direction: SortDirection,
}

impl Default for ExecutionOrder {
    /// Newest first.
    fn default() -> Self {
        Self {
            sort: ExecutionSort::StartedAt,
            direction: SortDirection::Descending,
        }
    }
}

/// What was said in one interview. An execution has at most one with each synth: the two ids are its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// None where the original application wrote the row; a number in very old files.
    pub id: Option<String>,
    /// The round.
    pub exec_id: String,
    /// Who was interviewed, under what name, and how it went.
    pub summary: TranscriptSummary,
    /// What was said; see [`Transcript::said`].
    pub messages: Option<Json>,
}

/// A transcript as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptSummary {
    /// The synth; it may be gone.
    pub synth_id: String,
    /// Its name at the time.
    pub synth_name: String,
    /// Free text, `completed` by convention.
    pub status: String,
    /// How often both sides spoke.
    pub turn_count: Option<Stored<i64>>,
    /// When it was written.
    pub timestamp: Stored<Timestamp>,
}

/// One utterance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Who.
    #[serde(default = "unknown_speaker")]
    pub speaker: String,
    /// What.
    #[serde(default)]
    pub text: String,
    /// What the speaker kept back.
    #[serde(default)]
    pub internal_notes: Option<String>,
}

fn unknown_speaker() -> String {
    "Unknown".to_owned()
}

impl Transcript {
    /// A finished interview, as the application writes it: one turn for two utterances, characters beyond ASCII as
    /// they are.
    pub fn completed(
        exec_id: &str,
        synth_id: &str,
        synth_name: &str,
        messages: &[Message],
        timestamp: Timestamp,
    ) -> Self {
        let turns = i64::try_from(messages.len() / 2).unwrap_or(i64::MAX);
        let said = messages.iter().map(|message| {
            serde_json::json!({
                "speaker": message.speaker, "text": message.text, "internal_notes": message.internal_notes
            })
        });
        Self {
            id: None,
            exec_id: exec_id.to_owned(),
            summary: TranscriptSummary {
                synth_id: synth_id.to_owned(),
                synth_name: synth_name.to_owned(),
                status: TRANSCRIPT_COMPLETED.to_owned(),
                turn_count: Some(turns.into()),
                timestamp: timestamp.into(),
            },
            messages: Some(Json::from_value_raw_text(&said.collect())),
        }
    }

    /// The utterances; none where nothing is stored.
    pub fn said(&self) -> Result<Vec<Message>, crate::json::JsonError> {
        #[derive(Deserialize)]
        struct Said(#[serde(deserialize_with = "list_or_nothing")] Vec<Message>);

        fn list_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Message>, D::Error> {
            Ok(Option::deserialize(from)?.unwrap_or_default())
        }

        match &self.messages {
            Some(messages) => messages.view::<Said>().map(|said| said.0),
            None => Ok(Vec::new()),
        }
    }
}

/// The topic of an experiment's interviews; those that the application starts by itself have one of their own.
pub fn interview_topic(experiment_id: &str, automatic: bool) -> String {
    let suffix = if automatic { "_auto" } else { "" };
    format!("exp_{experiment_id}{suffix}")
}

/// The key of a round on `topic` that starts at `now`: `batch_<topic>_<YYYYMMDD_HHMMSS>`, on the clock of UTC-3 that
/// the application goes by. Two starts in one second collide.
pub fn execution_id(topic: &str, now: Timestamp) -> String {
    const UTC_MINUS_3_MICROS: i64 = -3 * 3600 * 1_000_000;
    // At the very beginning of the calendar there is no time three hours before.
    let local = Timestamp::from_micros(now.as_micros() + UTC_MINUS_3_MICROS).unwrap_or(now);
    let digits: String = local
        .to_iso()
        .chars()
        .filter(char::is_ascii_digit)
        .take(14)
        .collect();
    let (date, time) = digits.split_at(8);
    format!("batch_{topic}_{date}_{time}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::LegacyZone;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, &LegacyZone::utc()).unwrap()
    }

    #[test]
    fn execution_ids_carry_topic_and_clock() {
        let topic = interview_topic("exp_1a2b3c4d", true);
        assert_eq!(
            execution_id(&topic, at("2026-01-01T02:30:15.9Z")),
            "batch_exp_exp_1a2b3c4d_auto_20251231_233015"
        );
        assert_eq!(interview_topic("exp_1a2b3c4d", false), "exp_exp_1a2b3c4d");
        assert_eq!(
            execution_id("t", at("0001-01-01T00:00:00Z")),
            "batch_t_00010101_000000"
        );
    }

    #[test]
    fn only_a_final_status_ends_a_round() {
        let now = at("2026-01-01");
        for status in ExecutionStatus::ALL {
            let over = matches!(status, ExecutionStatus::Completed | ExecutionStatus::Failed);
            assert_eq!(ExecutionProgress::to(*status, now).completed_at.is_some(), over);
        }
    }

    #[test]
    fn transcripts_keep_what_was_said() {
        let said = [
            Message {
                speaker: "Interviewer".to_owned(),
                text: "Olá 😀?".to_owned(),
                internal_notes: None,
            },
            Message {
                speaker: "Ana".to_owned(),
                text: "\"sim\"".to_owned(),
                internal_notes: Some("não".to_owned()),
            },
            Message {
                speaker: String::new(),
                text: String::new(),
                internal_notes: Some(String::new()),
            },
        ];
        let transcript = Transcript::completed("e", "s", "Ana", &said, at("2026-01-01"));
        assert_eq!(transcript.summary.turn_count, Some(1.into()));
        assert_eq!(transcript.said().unwrap(), said);
        let text = transcript.messages.unwrap();
        assert!(
            text.as_str().starts_with(
                r#"[{"speaker": "Interviewer", "text": "Olá 😀?", "internal_notes": null}, {"speaker": "Ana""#
            ),
            "{text:?}"
        );
    }

    #[test]
    fn old_messages_may_lack_parts() {
        let mut transcript = Transcript::completed("e", "s", "Ana", &[], at("2026-01-01"));
        let said = |transcript: &Transcript| transcript.said().ok();
        transcript.messages = Some(Json::parse(r#"[{"text": "a", "more": 1}, {}]"#).unwrap());
        let messages = said(&transcript).unwrap();
        assert_eq!(
            (messages[0].speaker.as_str(), messages[0].text.as_str()),
            ("Unknown", "a")
        );
        assert_eq!(messages[1].text, "");
        transcript.messages = None;
        assert_eq!(said(&transcript), Some(Vec::new()));
        transcript.messages = Some(Json::parse("null").unwrap());
        assert_eq!(said(&transcript), Some(Vec::new()));
        transcript.messages = Some(Json::parse("[1]").unwrap());
        assert_eq!(said(&transcript), None);
    }
}
