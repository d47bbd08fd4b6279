//! Scorecards of features, as the legacy simulation uses them.
//!
//! The document is the truth. The columns beside it only help to find it: the experiment, and the order of lists.

use serde::{Deserialize, Serialize};

use crate::json::{Json, JsonError};
use crate::stored::Stored;
use crate::time::Timestamp;

/// How many characters an id has.
pub const SCORECARD_ID_LENGTH: usize = 8;

/// A stored scorecard.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureScorecard {
    /// Eight letters or digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The experiment it was made for, if any.
    pub experiment_id: Option<String>,
    /// The scorecard: see [`FeatureScorecard::document`].
    pub data: Json,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Stored<Timestamp>>,
}

impl FeatureScorecard {
    /// A new scorecard, made at `created_at`: the columns say what the document says.
    pub fn new(document: ScorecardDocument, created_at: Timestamp) -> Result<Self, JsonError> {
        let document = ScorecardDocument {
            created_at: created_at.to_json_text(),
            updated_at: None,
            identification: Identification {
                created_at: Some(created_at.to_json_text()),
                ..document.identification
            },
            ..document
        };
        Ok(Self {
            data: document.to_json()?,
            id: document.id,
            experiment_id: document.experiment_id,
            created_at: created_at.into(),
            updated_at: None,
        })
    }

    /// The typed view of the document.
    pub fn document(&self) -> Result<ScorecardDocument, JsonError> {
        self.data.view()
    }
}

/// A scorecard: the typed view of `feature_scorecards.data`. Times are in the document's own spelling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorecardDocument {
    /// Its key.
    pub id: String,
    /// The experiment it was made for.
    #[serde(default)]
    pub experiment_id: Option<String>,
    /// What feature, for whom.
    pub identification: Identification,
    /// What the feature does.
    pub description_text: String,
    /// Pictures of it.
    #[serde(default)]
    pub description_media_urls: Vec<String>,
    /// How hard it is to understand.
    #[serde(default)]
    pub complexity: FeatureDimension,
    /// What it takes to begin.
    #[serde(default)]
    pub initial_effort: FeatureDimension,
    /// What the user fears.
    #[serde(default)]
    pub perceived_risk: FeatureDimension,
    /// How long until it helps.
    #[serde(default)]
    pub time_to_value: FeatureDimension,
    /// Why these scores.
    #[serde(default)]
    pub justification: Option<String>,
    /// What it may lead to.
    #[serde(default)]
    pub impact_hypotheses: Vec<String>,
    /// The version of this shape.
    #[serde(default = "first_version")]
    pub version: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// What feature a scorecard is about, and who judged it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identification {
    /// The feature.
    pub feature_name: String,
    /// The scenario it is used in.
    pub use_scenario: String,
    /// When it was judged.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Who judged it.
    #[serde(default)]
    pub evaluators: Vec<String>,
}

/// One dimension of a scorecard. Its keys are others than those of an experiment's scorecard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDimension {
    /// 0 to 1.
    pub score: f64,
    /// The rules that led to the score.
    #[serde(default)]
    pub rules_applied: Vec<String>,
    /// How far below the score the truth may be.
    #[serde(default)]
    pub min_uncertainty: f64,
    /// How far above it, not less than the other.
    #[serde(default)]
    pub max_uncertainty: f64,
}

impl Default for FeatureDimension {
    /// A dimension that nobody judged.
    fn default() -> Self {
        Self {
            score: 0.5,
            rules_applied: Vec::new(),
            min_uncertainty: 0.0,
            max_uncertainty: 0.0,
        }
    }
}

fn first_version() -> String {
    "1.0.0".to_owned()
}

/// Why a scorecard is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeatureScorecardError {
    /// The id has another form.
    #[error("id must be eight letters or digits")]
    Id,
    /// The text is required.
    #[error("{0} is required")]
    Empty(&'static str),
    /// The dimension's score is not within 0 and 1.
    #[error("{0}.score must be in [0, 1]")]
    Score(&'static str),
    /// The dimension's uncertainties cross.
    #[error("{0}.min_uncertainty must be <= max_uncertainty")]
    UncertaintyCrossed(&'static str),
}

impl ScorecardDocument {
    /// What breaks the rules for the id, the required texts and the dimensions' numbers.
    pub fn mistakes(&self) -> Vec<FeatureScorecardError> {
        let mut mistakes = Vec::new();
        if !is_scorecard_id(&self.id) {
            mistakes.push(FeatureScorecardError::Id);
        }
        let texts = [
            ("feature_name", &self.identification.feature_name),
            ("use_scenario", &self.identification.use_scenario),
            ("description_text", &self.description_text),
        ];
        let empty = texts.iter().filter(|(_, text)| text.is_empty());
        mistakes.extend(empty.map(|(field, _)| FeatureScorecardError::Empty(field)));
        let dimensions = [
            ("complexity", &self.complexity),
            ("initial_effort", &self.initial_effort),
            ("perceived_risk", &self.perceived_risk),
            ("time_to_value", &self.time_to_value),
        ];
        for (name, dimension) in dimensions {
            if !(0.0..=1.0).contains(&dimension.score) {
                mistakes.push(FeatureScorecardError::Score(name));
            }
            // Written so that NaN is refused too.
            let in_order = dimension.min_uncertainty <= dimension.max_uncertainty;
            if !in_order {
                mistakes.push(FeatureScorecardError::UncertaintyCrossed(name));
            }
        }
        mistakes
    }

    /// The document as the original application spells it.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        Ok(Json::from_value(&serde_json::to_value(self)?))
    }
}

/// Whether `id` is eight letters or digits.
pub fn is_scorecard_id(id: &str) -> bool {
    id.len() == SCORECARD_ID_LENGTH && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"id": "Ab12cd34", "experiment_id": null,
        "identification": {"feature_name": "Busca", "use_scenario": "crise", "created_at": "2025-12-15T10:00:00Z",
            "evaluators": ["ana"]},
        "description_text": "procura tudo", "description_media_urls": [],
        "complexity": {"score": 0.25, "rules_applied": ["r1"], "min_uncertainty": 0.1, "max_uncertainty": 0.3},
        "initial_effort": {"score": 1}, "perceived_risk": {"score": 0, "rules_applied": []},
        "extra": {"kept": true}, "created_at": "2025-12-15T10:00:00Z", "updated_at": null}"#;

    fn old() -> ScorecardDocument {
        Json::parse(OLD).unwrap().view().unwrap()
    }

    #[test]
    fn an_old_document_takes_defaults() {
        let document = old();
        assert_eq!(document.version, "1.0.0");
        assert_eq!(document.time_to_value, FeatureDimension::default());
        let effort = FeatureDimension {
            score: 1.0,
            ..FeatureDimension::default()
        };
        assert_eq!(document.initial_effort, effort);
        assert_eq!(document.complexity.rules_applied, ["r1"]);
        assert_eq!(document.mistakes(), []);
    }

    #[test]
    fn the_rules_name_what_breaks_them() {
        let broken = |change: fn(&mut ScorecardDocument)| {
            let mut document = old();
            change(&mut document);
            let mistakes = document.mistakes();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            mistakes[0].to_string()
        };
        for (message, found) in [
            (
                "id must be eight letters or digits",
                broken(|d| d.id = "ab12-d34".to_owned()),
            ),
            (
                "feature_name is required",
                broken(|d| d.identification.feature_name.clear()),
            ),
            (
                "description_text is required",
                broken(|d| d.description_text.clear()),
            ),
            (
                "complexity.score must be in [0, 1]",
                broken(|d| d.complexity.score = 1.01),
            ),
            (
                "time_to_value.score must be in [0, 1]",
                broken(|d| d.time_to_value.score = f64::NAN),
            ),
            (
                "complexity.min_uncertainty must be <= max_uncertainty",
                broken(|d| d.complexity.min_uncertainty = 0.4),
            ),
        ] {
            assert_eq!(found, message);
        }
    }

    #[test]
    fn columns_and_document_say_the_same() {
        let now = Timestamp::from_micros(1_767_268_800_000_000).unwrap();
        let document = ScorecardDocument {
            experiment_id: Some("exp_0a1b2c3d".to_owned()),
            ..old()
        };
        let scorecard = FeatureScorecard::new(document, now).unwrap();
        let stored = scorecard.document().unwrap();
        assert_eq!(
            (scorecard.id.as_str(), scorecard.experiment_id.as_deref()),
            ("Ab12cd34", Some("exp_0a1b2c3d"))
        );
        assert_eq!(scorecard.created_at, Stored::Known(now));
        assert_eq!(stored.id, scorecard.id);
        assert_eq!(stored.experiment_id, scorecard.experiment_id);
        assert_eq!(stored.created_at, "2026-01-01T12:00:00Z");
        assert_eq!(
            stored.identification.created_at.as_deref(),
            Some("2026-01-01T12:00:00Z")
        );
    }
}
