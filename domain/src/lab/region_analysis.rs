//! Regions of a simulation: kinds of synths that failed more often than the rest.

use serde::{Deserialize, Serialize};

use crate::json::{Json, JsonError};
use crate::stored::Stored;

/// A region of one simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionAnalysis {
    /// `region_` and eight hexadecimal digits, by the application's rule; not checked in old files.
    pub id: String,
    /// What its synths have in common: see [`RegionAnalysis::rules`].
    pub rules: Json,
    /// The same in words.
    pub rule_text: String,
    /// How many synths are in it.
    pub synth_count: Stored<i64>,
    /// Their share of all synths, 0 to 100.
    pub synth_percentage: Stored<f64>,
    /// The share of executions that they did not try.
    pub did_not_try_rate: Stored<f64>,
    /// The share that they tried and failed.
    pub failed_rate: Stored<f64>,
    /// The share that they succeeded in.
    pub success_rate: Stored<f64>,
    /// How much more often they failed than all synths.
    pub failure_delta: Stored<f64>,
}

impl RegionAnalysis {
    /// The typed view of the rules.
    pub fn rules(&self) -> Result<Vec<RegionRule>, JsonError> {
        self.rules.view()
    }

    /// The share of synths is from 0 to 100.
    pub fn check(&self) -> Result<(), RegionError> {
        match self.synth_percentage.known() {
            Some(share) if (0.0..=100.0).contains(share) => Ok(()),
            _ => Err(RegionError),
        }
    }
}

/// The share of a region's synths is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("synth_percentage must be from 0 to 100")]
pub struct RegionError;

/// One thing that the synths of a region have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionRule {
    /// The attribute.
    pub attribute: String,
    /// How it compares.
    pub operator: RegionOperator,
    /// With what.
    pub threshold: f64,
}

/// How an attribute compares with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegionOperator {
    /// Less.
    #[serde(rename = "<")]
    Below,
    /// Less or equal.
    #[serde(rename = "<=")]
    AtMost,
    /// Greater.
    #[serde(rename = ">")]
    Above,
    /// Greater or equal.
    #[serde(rename = ">=")]
    AtLeast,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(rules: &str, share: f64) -> RegionAnalysis {
        RegionAnalysis {
            id: "region_0a1b2c3d".to_owned(),
            rules: Json::parse(rules).unwrap(),
            rule_text: String::new(),
            synth_count: 1.into(),
            synth_percentage: share.into(),
            did_not_try_rate: 0.0.into(),
            failed_rate: 1.0.into(),
            success_rate: 0.0.into(),
            failure_delta: 0.5.into(),
        }
    }

    #[test]
    fn rules_are_read_with_their_operators() {
        let rules = r#"[{"attribute": "trust_mean", "operator": "<=", "threshold": 0.4},
            {"attribute": "motor_ability", "operator": ">", "threshold": 1}]"#;
        let rules = region(rules, 1.0).rules().unwrap();
        assert_eq!(
            (rules[0].operator, rules[0].threshold),
            (RegionOperator::AtMost, 0.4)
        );
        assert_eq!(rules[1].operator, RegionOperator::Above);
        let unknown = r#"[{"attribute": "trust_mean", "operator": "=", "threshold": 0.4}]"#;
        assert!(region(unknown, 1.0).rules().is_err());
    }

    #[test]
    fn the_share_is_a_percentage() {
        for share in [0.0, 100.0] {
            assert_eq!(region("[]", share).check(), Ok(()));
        }
        for share in [-0.1, 100.1, f64::NAN] {
            assert_eq!(region("[]", share).check(), Err(RegionError));
        }
    }
}
