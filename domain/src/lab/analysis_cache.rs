//! What an analysis run has computed and keeps: charts, the insights written about them, the executive summary.

use serde::{Deserialize, Serialize};

use crate::json::{Json, JsonError};
use crate::stored::Stored;
use crate::time::Timestamp;

/// The longest key, in code points.
pub const CACHE_KEY_MAX: usize = 50;
/// How the keys of insights begin.
pub const INSIGHT_PREFIX: &str = "insight_";
/// How the keys of clusterings begin; the number of clusters follows.
pub const CLUSTERING_PREFIX: &str = "clustering_k";
/// The key of the executive summary.
pub const EXECUTIVE_SUMMARY_KEY: &str = "executive_summary";

/// A kept result. Its run and its key identify it.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheEntry {
    /// The run.
    pub analysis_id: String,
    /// What it is: `try_vs_success`, `clustering_k3`, `insight_outliers`, `executive_summary`, …
    pub cache_key: String,
    /// The result, an object by the application's rule.
    pub data: Json,
    /// What it was computed with.
    pub params: Option<Json>,
    /// When it was computed.
    pub computed_at: Stored<Timestamp>,
}

/// Why an entry is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// The key is empty or too long.
    #[error("cache_key must have 1 to 50 characters")]
    Key,
    /// The result is not a JSON object.
    #[error("data must be a JSON object")]
    NotAnObject,
    /// A text is too long.
    #[error("{field} may have at most {max} characters")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most it may have.
        max: usize,
    },
    /// A list is too short or too long.
    #[error("{field} has too few or too many items")]
    Count {
        /// Which list.
        field: &'static str,
    },
}

impl CacheEntry {
    /// Checks the key's length and that the result is an object.
    pub fn check(&self) -> Result<(), CacheError> {
        if !(1..=CACHE_KEY_MAX).contains(&self.cache_key.chars().count()) {
            return Err(CacheError::Key);
        }
        if self.data.as_str().trim_start().starts_with('{') {
            Ok(())
        } else {
            Err(CacheError::NotAnObject)
        }
    }

    /// The insight of this entry.
    pub fn chart_insight(&self) -> Result<ChartInsight, JsonError> {
        self.data.view()
    }

    /// The executive summary of this entry.
    pub fn executive_summary(&self) -> Result<ExecutiveSummary, JsonError> {
        self.data.view()
    }
}

/// The key of the insight about a chart.
pub fn insight_key(chart_type: &str) -> String {
    format!("{INSIGHT_PREFIX}{chart_type}")
}

/// How far the writing of an insight or a summary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WritingStatus {
    /// Begun.
    Pending,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Done in part; summaries only.
    Partial,
}

/// What was written about one chart: the typed view of an entry whose key begins with [`INSIGHT_PREFIX`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChartInsight {
    /// The run.
    pub analysis_id: String,
    /// The chart.
    pub chart_type: String,
    /// At most 2000 characters.
    pub summary: String,
    /// When it was written, as the document spells it.
    pub generation_timestamp: String,
    /// How far it is.
    pub status: WritingStatus,
    /// The model that wrote it.
    #[serde(default = "insight_model")]
    pub model: String,
}

/// The summary of a whole analysis: the typed view of the entry [`EXECUTIVE_SUMMARY_KEY`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutiveSummary {
    /// The run.
    pub analysis_id: String,
    /// At most 1000 characters, as the next three.
    pub overview: String,
    /// What explains the outcomes.
    pub explainability: String,
    /// Which kinds of synths there are.
    pub segmentation: String,
    /// What does not fit.
    pub edge_cases: String,
    /// Two or three.
    pub recommendations: Vec<String>,
    /// At least one.
    pub included_chart_types: Vec<String>,
    /// When it was written, as the document spells it.
    pub generation_timestamp: String,
    /// How far it is.
    pub status: WritingStatus,
    /// The model that wrote it.
    #[serde(default = "summary_model")]
    pub model: String,
}

fn insight_model() -> String {
    "gpt-4.1-mini".to_owned()
}

fn summary_model() -> String {
    "04-mini".to_owned()
}

fn check_length(field: &'static str, text: &str, max: usize) -> Result<(), CacheError> {
    if text.chars().count() > max {
        Err(CacheError::TooLong { field, max })
    } else {
        Ok(())
    }
}

impl ChartInsight {
    /// Checks the length of the summary.
    pub fn check(&self) -> Result<(), CacheError> {
        check_length("summary", &self.summary, 2000)
    }

    /// The entry that keeps this insight.
    pub fn to_entry(&self, computed_at: Timestamp) -> Result<CacheEntry, JsonError> {
        entry(
            &self.analysis_id,
            insight_key(&self.chart_type),
            self,
            computed_at,
        )
    }
}

impl ExecutiveSummary {
    /// Checks lengths and counts.
    pub fn check(&self) -> Result<(), CacheError> {
        check_length("overview", &self.overview, 1000)?;
        check_length("explainability", &self.explainability, 1000)?;
        check_length("segmentation", &self.segmentation, 1000)?;
        check_length("edge_cases", &self.edge_cases, 1000)?;
        if !(2..=3).contains(&self.recommendations.len()) {
            return Err(CacheError::Count {
                field: "recommendations",
            });
        }
        if self.included_chart_types.is_empty() {
            return Err(CacheError::Count {
                field: "included_chart_types",
            });
        }
        Ok(())
    }

    /// The entry that keeps this summary.
    pub fn to_entry(&self, computed_at: Timestamp) -> Result<CacheEntry, JsonError> {
        entry(
            &self.analysis_id,
            EXECUTIVE_SUMMARY_KEY.to_owned(),
            self,
            computed_at,
        )
    }
}

fn entry(
    analysis_id: &str,
    cache_key: String,
    document: &impl Serialize,
    computed_at: Timestamp,
) -> Result<CacheEntry, JsonError> {
    Ok(CacheEntry {
        analysis_id: analysis_id.to_owned(),
        cache_key,
        data: Json::from_value(&serde_json::to_value(document)?),
        params: None,
        computed_at: computed_at.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_micros(1_767_268_800_000_000).unwrap()
    }

    fn insight() -> ChartInsight {
        ChartInsight {
            analysis_id: "ana_0a1b2c3d".to_owned(),
            chart_type: "outliers".to_owned(),
            summary: "São 3".to_owned(),
            generation_timestamp: "2026-01-01T12:00:00+00:00".to_owned(),
            status: WritingStatus::Completed,
            model: insight_model(),
        }
    }

    #[test]
    fn an_insight_is_kept_under_its_chart() {
        let entry = insight().to_entry(at()).unwrap();
        assert_eq!(entry.cache_key, "insight_outliers");
        assert_eq!(entry.check(), Ok(()));
        assert!(
            entry.data.as_str().contains(r#""summary": "S\u00e3o 3""#),
            "{:?}",
            entry.data
        );
        assert_eq!(entry.chart_insight().unwrap(), insight());
        assert!(entry.executive_summary().is_err());
    }

    #[test]
    fn a_summary_has_lengths_and_counts() {
        let text = r#"{"analysis_id": "ana_0a1b2c3d", "overview": "o", "explainability": "e", "segmentation": "s",
            "edge_cases": "x", "recommendations": ["a", "b"], "included_chart_types": ["pdp"],
            "generation_timestamp": "2026-01-01T12:00:00Z", "status": "partial"}"#;
        let summary: ExecutiveSummary = Json::parse(text).unwrap().view().unwrap();
        assert_eq!(summary.check(), Ok(()));
        assert_eq!(
            (summary.status, summary.model.as_str()),
            (WritingStatus::Partial, "04-mini")
        );
        let entry = summary.to_entry(at()).unwrap();
        assert_eq!(entry.cache_key, EXECUTIVE_SUMMARY_KEY);
        assert_eq!(entry.executive_summary().unwrap(), summary);

        let one = ExecutiveSummary {
            recommendations: vec!["a".to_owned()],
            ..summary.clone()
        };
        assert_eq!(
            one.check(),
            Err(CacheError::Count {
                field: "recommendations"
            })
        );
        let long = ExecutiveSummary {
            edge_cases: "é".repeat(1001),
            ..summary
        };
        assert_eq!(
            long.check(),
            Err(CacheError::TooLong {
                field: "edge_cases",
                max: 1000
            })
        );
    }

    #[test]
    fn an_entry_has_a_key_and_an_object() {
        let entry = insight().to_entry(at()).unwrap();
        for key in [String::new(), "é".repeat(51)] {
            assert_eq!(
                CacheEntry {
                    cache_key: key,
                    ..entry.clone()
                }
                .check(),
                Err(CacheError::Key)
            );
        }
        let array = CacheEntry {
            data: Json::from_trusted("[{}]"),
            ..entry
        };
        assert_eq!(array.check(), Err(CacheError::NotAnObject));
    }
}
