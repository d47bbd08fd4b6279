//! What was written about the charts of a simulation, in a table of its own. Analyses keep theirs in the cache.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::analysis_cache::ChartInsight;
use crate::json::Json;
use crate::stored::Stored;
use crate::time::Timestamp;

/// The type of the summary of all charts.
pub const EXECUTIVE_SUMMARY: &str = "executive_summary";

/// A stored insight. Its simulation and its type identify it too.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationInsight {
    /// `ins_` and twelve hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The simulation (`sim_…`) or the analysis run (`ana_…`); neither need exist.
    pub simulation_id: String,
    /// A chart, or [`EXECUTIVE_SUMMARY`].
    pub insight_type: String,
    /// The insight: see [`SimulationInsight::content`].
    pub response_json: Json,
    /// When it was first stored.
    pub created_at: Stored<Timestamp>,
    /// When it was last stored.
    pub updated_at: Stored<Timestamp>,
}

/// An insight in one of the shapes that the application has written.
#[derive(Debug, Clone, PartialEq)]
pub enum InsightContent {
    /// The summary of all charts.
    Summary(SummaryText),
    /// The first shape, of the last days of 2025.
    Caption(Box<ChartCaption>),
    /// The shape that the cache holds too.
    Chart(Box<ChartInsight>),
    /// Any other.
    Other(Value),
}

/// The summary of all charts, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryText {
    /// The text.
    pub executive_summary: String,
    /// When it was written, as the document spells it.
    #[serde(default)]
    pub generated_at: Option<String>,
}

/// An insight into one chart in the first shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartCaption {
    /// The simulation.
    pub simulation_id: String,
    /// The chart; `sankey` and `tornado` occur only here.
    pub chart_type: String,
    /// One line under the chart.
    pub caption: String,
    /// What it shows.
    #[serde(default)]
    pub explanation: Option<String>,
    /// What supports that: mostly a list of texts.
    #[serde(default)]
    pub evidence: Value,
    /// What to do.
    #[serde(default)]
    pub recommendation: Option<String>,
    /// How sure the writer was.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// When it was written, as the document spells it.
    #[serde(default)]
    pub generated_at: Option<String>,
}

impl SimulationInsight {
    /// The summary of all charts, written at `now`.
    pub fn summary(id: String, simulation_id: &str, text: &str, now: Timestamp) -> Self {
        let content = serde_json::json!({"executive_summary": text, "generated_at": now.to_iso()});
        Self {
            id,
            simulation_id: simulation_id.to_owned(),
            insight_type: EXECUTIVE_SUMMARY.to_owned(),
            response_json: Json::from_value(&content),
            created_at: now.into(),
            updated_at: now.into(),
        }
    }

    /// The insight in the first shape that fits the document.
    pub fn content(&self) -> InsightContent {
        // Not an untagged enumeration: those lose the numbers of documents whose numbers are exact.
        let document = &self.response_json;
        let summary = document.view().map(InsightContent::Summary);
        let caption = || {
            document
                .view()
                .map(|caption| InsightContent::Caption(Box::new(caption)))
        };
        let chart = || {
            document
                .view()
                .map(|chart| InsightContent::Chart(Box::new(chart)))
        };
        summary
            .or_else(|_| caption())
            .or_else(|_| chart())
            .unwrap_or_else(|_| InsightContent::Other(document.value()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::analysis_cache::WritingStatus;

    fn insight(text: &str) -> SimulationInsight {
        let at = Timestamp::from_micros(1_767_268_800_000_001).unwrap();
        SimulationInsight {
            response_json: Json::parse(text).unwrap(),
            ..SimulationInsight::summary("ins_0a1b2c3d4e5f".to_owned(), "sim_0a1b2c3d", "", at)
        }
    }

    #[test]
    fn the_first_shape_is_read() {
        let text = r#"{"simulation_id": "sim_0a1b2c3d", "chart_type": "tornado", "caption": "Confiança é tudo",
            "explanation": "x", "evidence": ["a", "b"], "recommendation": null, "confidence": 0.85,
            "generated_at": "2025-12-28T10:00:00.123456+00:00"}"#;
        let InsightContent::Caption(caption) = insight(text).content() else {
            panic!("{text}");
        };
        assert_eq!(
            (caption.chart_type.as_str(), caption.caption.as_str()),
            ("tornado", "Confiança é tudo")
        );
        assert_eq!(caption.confidence, Some(0.85));
        assert_eq!(caption.evidence, serde_json::json!(["a", "b"]));
    }

    #[test]
    fn the_shape_of_the_cache_is_read() {
        let text = r#"{"analysis_id": "ana_0a1b2c3d", "chart_type": "pdp", "summary": "s",
            "generation_timestamp": "2026-01-01T12:00:00Z", "status": "completed"}"#;
        let InsightContent::Chart(chart) = insight(text).content() else {
            panic!("{text}");
        };
        assert_eq!(
            (chart.status, chart.model.as_str()),
            (WritingStatus::Completed, "gpt-4.1-mini")
        );
    }

    #[test]
    fn a_summary_is_read_as_it_was_written() {
        let at = Timestamp::from_micros(1_767_268_800_000_001).unwrap();
        let written =
            SimulationInsight::summary("ins_0a1b2c3d4e5f".to_owned(), "sim_0a1b2c3d", "tudo é bom", at);
        assert_eq!(
            written.response_json.as_str(),
            r#"{"executive_summary": "tudo \u00e9 bom", "generated_at": "2026-01-01T12:00:00.000001+00:00"}"#
        );
        let InsightContent::Summary(summary) = written.content() else {
            panic!("{written:?}");
        };
        assert_eq!(summary.executive_summary, "tudo é bom");
    }

    #[test]
    fn any_other_shape_stays_readable() {
        for text in ["null", "[1]", r#"{"caption": 3}"#, "12345678901234567890123"] {
            assert_eq!(
                insight(text).content(),
                InsightContent::Other(Json::parse(text).unwrap().value())
            );
        }
    }
}
