//! How one synth fared in one analysis run.

use serde::{Deserialize, Serialize};

use super::analysis_run::Rates;
use crate::json::Json;
use crate::stored::Stored;

/// An outcome. A run has at most one for each synth: the two ids are its key.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthOutcome {
    /// `<analysis>_<synth>` where the analysis wrote it, none where a legacy simulation did, `out_` and eight
    /// hexadecimal digits otherwise.
    pub id: Option<String>,
    /// The run.
    pub analysis_id: String,
    /// The synth; it may be gone.
    pub synth_id: String,
    /// The share of executions that the synth did not try.
    pub did_not_try_rate: Stored<f64>,
    /// The share that it tried and failed.
    pub failed_rate: Stored<f64>,
    /// The share that it succeeded in.
    pub success_rate: Stored<f64>,
    /// What the synth was like in this run: [`SynthAttributes`].
    pub synth_attributes: Option<Json>,
}

impl SynthOutcome {
    /// An outcome as the analysis writes it.
    pub fn of_analysis(
        analysis_id: &str,
        synth_id: &str,
        rates: Rates,
        synth_attributes: Option<Json>,
    ) -> Self {
        Self {
            id: Some(format!("{analysis_id}_{synth_id}")),
            analysis_id: analysis_id.to_owned(),
            synth_id: synth_id.to_owned(),
            did_not_try_rate: rates.did_not_try_rate.into(),
            failed_rate: rates.failed_rate.into(),
            success_rate: rates.success_rate.into(),
            synth_attributes,
        }
    }

    /// The three rates, if all are numbers.
    pub fn rates(&self) -> Option<Rates> {
        Some(Rates {
            did_not_try_rate: *self.did_not_try_rate.known()?,
            failed_rate: *self.failed_rate.known()?,
            success_rate: *self.success_rate.known()?,
        })
    }
}

/// What a synth was like: the typed view of `synth_outcomes.synth_attributes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SynthAttributes {
    /// What can be seen of it.
    pub observables: Observables,
    /// What follows from that.
    pub latent_traits: LatentTraits,
}

/// What can be seen of a synth, each from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Observables {
    pub digital_literacy: f64,
    pub similar_tool_experience: f64,
    pub motor_ability: f64,
    pub time_availability: f64,
    pub domain_expertise: f64,
}

/// What follows from a synth's observables, each from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct LatentTraits {
    pub capability_mean: f64,
    pub trust_mean: f64,
    pub friction_tolerance_mean: f64,
    pub exploration_prob: f64,
}

/// The name of an attribute that is not within 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be from 0 to 1")]
pub struct AttributeError(pub &'static str);

impl SynthAttributes {
    /// Each of the nine numbers is from 0 to 1.
    pub fn check(&self) -> Result<(), AttributeError> {
        let (seen, latent) = (&self.observables, &self.latent_traits);
        let numbers = [
            ("digital_literacy", seen.digital_literacy),
            ("similar_tool_experience", seen.similar_tool_experience),
            ("motor_ability", seen.motor_ability),
            ("time_availability", seen.time_availability),
            ("domain_expertise", seen.domain_expertise),
            ("capability_mean", latent.capability_mean),
            ("trust_mean", latent.trust_mean),
            ("friction_tolerance_mean", latent.friction_tolerance_mean),
            ("exploration_prob", latent.exploration_prob),
        ];
        match numbers.iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((name, _)) => Err(AttributeError(name)),
            None => Ok(()),
        }
    }
}

/// The means over a run's outcomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutcomeStatistics {
    /// The mean rates.
    pub means: Rates,
    /// How many synths they are taken over; never 0.
    pub synth_count: u64,
}

/// The outcomes at both ends of a run, by success.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutcomeExtremes {
    /// The most successful, best first. A run with few outcomes may have the same one at both ends.
    pub best: Vec<SynthOutcome>,
    /// The least successful, worst first.
    pub worst: Vec<SynthOutcome>,
}

/// Whether `id` is one that the application's entity accepts: `out_` and eight hexadecimal digits, or an analysis id,
/// an underscore and lower-case letters and digits.
pub fn is_outcome_id(id: &str) -> bool {
    super::is_prefixed_hex(id, "out_", 8)
        || id.split_at_checked(12).is_some_and(|(analysis, rest)| {
            super::analysis_run::is_analysis_id(analysis)
                && rest.strip_prefix('_').is_some_and(|synth| {
                    !synth.is_empty() && synth.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_two_patterns() {
        for id in ["out_0a1b2c3d", "ana_0a1b2c3d_abc123", "ana_0a1b2c3d_x"] {
            assert!(is_outcome_id(id), "{id}");
        }
        for id in [
            "out_0a1b2c3d4e5f",
            "ana_0a1b2c3d_ABC",
            "ana_0a1b2c3d_a_b",
            "ana_0a1b2c3d_",
            "ana_0a1b2c3d",
            "é",
        ] {
            assert!(!is_outcome_id(id), "{id}");
        }
    }

    #[test]
    fn attributes_are_within_zero_and_one() {
        let text = r#"{"observables": {"digital_literacy": 0.1, "similar_tool_experience": 0.2, "motor_ability": 1,
            "time_availability": 0, "domain_expertise": 0.5}, "latent_traits": {"capability_mean": 0.5,
            "trust_mean": 0.5, "friction_tolerance_mean": 0.5, "exploration_prob": 0.5}}"#;
        let mut attributes: SynthAttributes = Json::parse(text).unwrap().view().unwrap();
        assert_eq!(attributes.check(), Ok(()));
        attributes.latent_traits.trust_mean = 1.5;
        assert_eq!(attributes.check(), Err(AttributeError("trust_mean")));
        let incomplete = text.replace("trust_mean", "trust");
        assert!(
            Json::parse(incomplete)
                .unwrap()
                .view::<SynthAttributes>()
                .is_err()
        );
    }

    #[test]
    fn an_outcome_of_the_analysis_is_named_after_its_key() {
        let rates = Rates {
            did_not_try_rate: 0.25,
            failed_rate: 0.25,
            success_rate: 0.5,
        };
        let outcome = SynthOutcome::of_analysis("ana_0a1b2c3d", "abc123", rates, None);
        assert_eq!(outcome.id.as_deref(), Some("ana_0a1b2c3d_abc123"));
        assert_eq!(outcome.rates(), Some(rates));
        let text = crate::stored::StoredValue::Text("much".to_owned());
        let broken = SynthOutcome {
            failed_rate: Stored::Other(text),
            ..outcome
        };
        assert_eq!(broken.rates(), None);
    }
}
