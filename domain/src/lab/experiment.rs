//! Experiments, their scorecards, and the rules of both.

use serde::{Deserialize, Serialize};

use super::stripped;
use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

/// The longest name, in code points.
pub const NAME_MAX: usize = 100;
/// The longest hypothesis.
pub const HYPOTHESIS_MAX: usize = 500;
/// The longest description.
pub const DESCRIPTION_MAX: usize = 2000;

text_enum! {
    /// Whether an experiment is shown. Deleting one only changes this.
    ExperimentStatus {
        /// Shown.
        Active = "active",
        /// Deleted: what belongs to it stays, but nobody is shown the experiment any more.
        Deleted = "deleted",
    }
}

/// A feature to be tried on synths, and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// `exp_` and eight hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// The name; see [`check_texts`] for the rules of the three texts.
    pub name: String,
    /// What is expected.
    pub hypothesis: String,
    /// May be empty, which is not the same as none.
    pub description: Option<String>,
    /// The scorecard; see [`Experiment::scorecard`].
    pub scorecard_data: Option<Json>,
    /// Shown or deleted; upgraded files may hold other texts.
    pub status: Stored<ExperimentStatus>,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Stored<Timestamp>>,
}

impl Experiment {
    /// The scorecard's document. JSON `null` is none: one version of the application stored it so.
    pub fn scorecard(&self) -> Option<&Json> {
        self.scorecard_data.as_ref().filter(|data| !is_null(data))
    }
}

fn is_null(document: &Json) -> bool {
    matches!(document.as_str().trim(), "" | "null")
}

/// An experiment as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentSummary {
    /// Its key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is expected.
    pub hypothesis: String,
    /// May be empty, which is not the same as none.
    pub description: Option<String>,
    /// Whether it has a scorecard (JSON `null` is none).
    pub has_scorecard: bool,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// A change of an experiment's texts: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExperimentChange {
    /// The new name.
    pub name: Option<String>,
    /// The new hypothesis.
    pub hypothesis: Option<String>,
    /// The new description. It cannot be taken away, only emptied.
    pub description: Option<String>,
}

/// Why an experiment's texts are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentError {
    /// The text has too many characters.
    #[error("{field} may have at most {max} characters")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most it may have.
        max: usize,
    },
    /// The text is required.
    #[error("{field} is required and cannot be empty")]
    Blank {
        /// Which text.
        field: &'static str,
    },
}

/// The texts of a new experiment: checked, and the blanks around them taken off. An empty description is none; one
/// of blanks only is an empty one, as the original application has it.
pub fn new_texts(
    name: &str,
    hypothesis: &str,
    description: Option<&str>,
) -> Result<(String, String, Option<String>), ExperimentError> {
    check_texts(&ExperimentChange {
        name: Some(name.to_owned()),
        hypothesis: Some(hypothesis.to_owned()),
        description: description.map(str::to_owned),
    })?;
    let description = description
        .filter(|text| !text.is_empty())
        .map(|text| stripped(text).to_owned());
    let [name, hypothesis] = [name, hypothesis].map(|text| stripped(text).to_owned());
    Ok((name, hypothesis, description))
}

/// Checks the texts that a change brings. Lengths are counted in code points.
pub fn check_texts(change: &ExperimentChange) -> Result<(), ExperimentError> {
    let texts = [
        ("name", change.name.as_deref(), NAME_MAX, true),
        ("hypothesis", change.hypothesis.as_deref(), HYPOTHESIS_MAX, true),
        (
            "description",
            change.description.as_deref(),
            DESCRIPTION_MAX,
            false,
        ),
    ];
    for (field, text, max, required) in texts {
        let Some(text) = text else { continue };
        if text.chars().count() > max {
            return Err(ExperimentError::TooLong { field, max });
        }
        if required && stripped(text).is_empty() {
            return Err(ExperimentError::Blank { field });
        }
    }
    Ok(())
}

/// Whether `id` is `exp_` and eight lower-case hexadecimal digits.
pub fn is_experiment_id(id: &str) -> bool {
    super::is_prefixed_hex(id, "exp_", 8)
}

/// How a feature scores in the eyes of the experiment's author: the typed view of `experiments.scorecard_data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScorecardData {
    /// The feature.
    pub feature_name: String,
    /// The scenario it is used in.
    #[serde(default = "baseline")]
    pub scenario: String,
    /// What the feature does.
    pub description_text: String,
    /// Pictures of it.
    #[serde(default)]
    pub description_media_urls: Vec<String>,
    /// How hard it is to understand.
    pub complexity: ScorecardDimension,
    /// What it takes to begin.
    pub initial_effort: ScorecardDimension,
    /// What the user fears.
    pub perceived_risk: ScorecardDimension,
    /// How long until it helps.
    pub time_to_value: ScorecardDimension,
    /// Why these scores.
    #[serde(default)]
    pub justification: Option<String>,
    /// What it may lead to.
    #[serde(default)]
    pub impact_hypotheses: Vec<String>,
}

/// One dimension of a scorecard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScorecardDimension {
    /// 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub score: f64,
    /// The rules that led to the score.
    #[serde(default)]
    pub rules_applied: Vec<String>,
    /// The least it may be, 0 to 1.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub lower_bound: Option<f64>,
    /// The most it may be, 0 to 1, not below the least.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub upper_bound: Option<f64>,
}

fn baseline() -> String {
    "baseline".to_owned()
}

/// Why a scorecard is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScorecardError {
    /// A number of a dimension is not within 0 and 1.
    #[error("{dimension}.{field} must be from 0 to 1")]
    OutOfRange {
        /// The dimension.
        dimension: &'static str,
        /// Its field.
        field: &'static str,
    },
    /// A dimension's lower bound is above its upper one.
    #[error("{dimension}.lower_bound must not be above its upper_bound")]
    BoundsCrossed {
        /// The dimension.
        dimension: &'static str,
    },
}

impl ScorecardData {
    /// Checks the dimensions' numbers.
    pub fn check(&self) -> Result<(), ScorecardError> {
        let dimensions = [
            ("complexity", &self.complexity),
            ("initial_effort", &self.initial_effort),
            ("perceived_risk", &self.perceived_risk),
            ("time_to_value", &self.time_to_value),
        ];
        for (dimension, values) in dimensions {
            let fields = [
                ("score", Some(values.score)),
                ("lower_bound", values.lower_bound),
                ("upper_bound", values.upper_bound),
            ];
            for (field, value) in fields {
                if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
                    return Err(ScorecardError::OutOfRange { dimension, field });
                }
            }
            if let (Some(lower), Some(upper)) = (values.lower_bound, values.upper_bound)
                && lower > upper
            {
                return Err(ScorecardError::BoundsCrossed { dimension });
            }
        }
        Ok(())
    }

    /// The document as the original application spells it.
    pub fn to_json(&self) -> Result<Json, crate::json::JsonError> {
        Ok(Json::from_value(&serde_json::to_value(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORECARD: &str = r#"{"feature_name": "Login", "description_text": "d", "complexity": {"score": 0.5},
        "initial_effort": {"score": 0}, "perceived_risk": {"score": 1.0, "lower_bound": 0.9, "upper_bound": 1},
        "time_to_value": {"score": 0.25, "rules_applied": ["r"], "unknown": 1}}"#;

    fn scorecard() -> ScorecardData {
        Json::parse(SCORECARD).unwrap().view().unwrap()
    }

    #[test]
    fn new_texts_are_trimmed() {
        assert_eq!(
            new_texts(" n\u{a0}", "\th\n", Some("  ")),
            Ok(("n".to_owned(), "h".to_owned(), Some(String::new())))
        );
        assert_eq!(new_texts("n", "h", Some("")).unwrap().2, None);
        assert_eq!(new_texts("n", "h", None).unwrap().2, None);
    }

    #[test]
    fn lengths_are_counted_in_code_points() {
        let change = |name: &str, description: &str| ExperimentChange {
            name: Some(name.to_owned()),
            hypothesis: None,
            description: Some(description.to_owned()),
        };
        assert_eq!(check_texts(&change(&"é".repeat(100), &"😀".repeat(2000))), Ok(()));
        assert_eq!(
            check_texts(&change(&"é".repeat(101), "")),
            Err(ExperimentError::TooLong {
                field: "name",
                max: 100
            })
        );
        assert_eq!(
            check_texts(&change("n", &"x".repeat(2001))),
            Err(ExperimentError::TooLong {
                field: "description",
                max: 2000
            })
        );
    }

    #[test]
    fn blank_texts_are_refused_where_one_is_required() {
        assert_eq!(
            new_texts("  ", "h", None),
            Err(ExperimentError::Blank { field: "name" })
        );
        let change = ExperimentChange {
            hypothesis: Some("\u{2003}".to_owned()),
            ..ExperimentChange::default()
        };
        assert_eq!(
            check_texts(&change),
            Err(ExperimentError::Blank { field: "hypothesis" })
        );
        assert_eq!(check_texts(&ExperimentChange::default()), Ok(()));
    }

    #[test]
    fn a_scorecard_takes_defaults_and_is_spelt_in_the_order_of_its_keys() {
        let scorecard = scorecard();
        assert_eq!(scorecard.check(), Ok(()));
        let text = scorecard.to_json().unwrap();
        assert!(
            text.as_str().starts_with(
                r#"{"feature_name": "Login", "scenario": "baseline", "description_text": "d", "description_media_urls": [], "complexity": {"score": 0.5, "rules_applied": [], "lower_bound": null, "upper_bound": null}"#
            ),
            "{text:?}"
        );
        assert_eq!(text.view::<ScorecardData>().unwrap(), scorecard);
    }

    #[test]
    fn a_scorecard_needs_its_four_dimensions() {
        let incomplete = SCORECARD.replace("initial_effort", "effort");
        assert!(Json::parse(incomplete).unwrap().view::<ScorecardData>().is_err());
        assert!(Json::parse("null").unwrap().view::<ScorecardData>().is_err());
    }

    #[test]
    fn a_scorecards_numbers_have_bounds() {
        let mut wrong = scorecard();
        wrong.complexity.score = 1.01;
        assert_eq!(
            wrong.check(),
            Err(ScorecardError::OutOfRange {
                dimension: "complexity",
                field: "score"
            })
        );
        let mut wrong = scorecard();
        wrong.perceived_risk.lower_bound = Some(f64::NAN);
        assert_eq!(
            wrong.check(),
            Err(ScorecardError::OutOfRange {
                dimension: "perceived_risk",
                field: "lower_bound"
            })
        );
        let mut wrong = scorecard();
        wrong.time_to_value.lower_bound = Some(0.5);
        wrong.time_to_value.upper_bound = Some(0.4);
        assert_eq!(
            wrong.check(),
            Err(ScorecardError::BoundsCrossed {
                dimension: "time_to_value"
            })
        );
    }

    #[test]
    fn json_null_is_no_scorecard() {
        let mut experiment = Experiment {
            id: "exp_00000001".to_owned(),
            name: "n".to_owned(),
            hypothesis: "h".to_owned(),
            description: None,
            scorecard_data: Some(Json::from_trusted("null")),
            status: ExperimentStatus::Active.into(),
            created_at: Timestamp::from_micros(0).unwrap().into(),
            updated_at: None,
        };
        assert_eq!(experiment.scorecard(), None);
        experiment.scorecard_data = Some(Json::from_trusted("{}"));
        assert_eq!(experiment.scorecard(), Some(&Json::from_trusted("{}")));
    }

    #[test]
    fn ids_have_a_pattern() {
        assert!(is_experiment_id("exp_0a1b2c3d"));
        for id in ["exp_test1", "exp_0A1B2C3D", "exp_0a1b2c3d4", "ana_0a1b2c3d", ""] {
            assert!(!is_experiment_id(id), "{id}");
        }
    }
}
