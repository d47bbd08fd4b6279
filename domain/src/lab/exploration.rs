//! Explorations: searches through variants of an experiment's scorecard, each a tree of scenarios.

use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

/// The longest description of an action, in code points.
pub const ACTION_MAX: usize = 500;
/// The longest rationale.
pub const RATIONALE_MAX: usize = 200;
/// The longest short form of an action.
pub const SHORT_ACTION_MAX: usize = 30;

text_enum! {
    /// How a search stands.
    ExplorationStatus {
        /// Under way. A crash leaves it so for ever.
        Running = "running",
        /// A scenario reached the goal.
        GoalAchieved = "goal_achieved",
        /// The tree is as deep as it may be.
        DepthLimitReached = "depth_limit_reached",
        /// The language model was asked as often as it may be.
        CostLimitReached = "cost_limit_reached",
        /// Nothing is left to try.
        NoViablePaths = "no_viable_paths",
    }
}

impl ExplorationStatus {
    /// Whether a search in this state may go on to `next`: only a running one may, to any end.
    pub fn may_become(self, next: Self) -> bool {
        self == Self::Running && next != Self::Running
    }
}

text_enum! {
    /// How a scenario stands among the others.
    NodeStatus {
        /// To be developed further.
        Active = "active",
        /// Another one is better in every way.
        Dominated = "dominated",
        /// It reached the goal.
        Winner = "winner",
        /// Developing it failed; never written by the original application.
        ExpansionFailed = "expansion_failed",
    }
}

impl NodeStatus {
    /// Whether a scenario in this state may go on to `next`. One that was found dominated may still prove the winner in
    /// the same iteration.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Active => next != Self::Active,
            Self::Dominated => next == Self::Winner,
            Self::Winner | Self::ExpansionFailed => false,
        }
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct Exploration {
    /// `expl_` and eight hexadecimal digits; the databases check it.
    pub id: String,
    /// The experiment.
    pub experiment_id: String,
    /// The analysis run that it starts from.
    pub baseline_analysis_id: String,
    /// An [`ExplorationGoal`].
    pub goal: Json,
    /// An [`ExplorationConfig`].
    pub config: Json,
    /// How it stands.
    pub status: Stored<ExplorationStatus>,
    /// How deep the tree is.
    pub current_depth: Stored<i64>,
    /// How many scenarios it holds, as of the last iteration.
    pub total_nodes: Stored<i64>,
    /// How often the language model was asked.
    pub total_llm_calls: Stored<i64>,
    /// The best success rate so far, 0 to 1.
    pub best_success_rate: Option<Stored<f64>>,
    /// When it was started.
    pub started_at: Stored<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Stored<Timestamp>>,
}

impl Exploration {
    /// The limit that the search has reached, if any: its depth's first.
    pub fn limit_reached(&self, config: &ExplorationConfig) -> Option<ExplorationStatus> {
        let at_least = |number: &Stored<i64>, limit: i64| number.known().is_some_and(|n| *n >= limit);
        if at_least(&self.current_depth, config.max_depth) {
            Some(ExplorationStatus::DepthLimitReached)
        } else if at_least(&self.total_llm_calls, config.max_llm_calls) {
            Some(ExplorationStatus::CostLimitReached)
        } else {
            None
        }
    }
}

/// A scenario: its parent's scorecard with one action applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioNode {
    /// `node_` and eight hexadecimal digits; the databases check it.
    pub id: String,
    /// The search.
    pub exploration_id: String,
    /// The scenario that it came from; none for the root.
    pub parent_id: Option<String>,
    /// Steps from the root.
    pub depth: Stored<i64>,
    /// What was done.
    pub action_applied: Option<String>,
    /// Of which kind it is: `ux_interface`, `onboarding`, `flow`, `communication` or `operational`.
    pub action_category: Option<String>,
    /// Why.
    pub rationale: Option<String>,
    /// What was done, in a few words.
    pub short_action: Option<String>,
    /// The [`ScorecardParams`] afterwards.
    pub scorecard_params: Json,
    /// The [`ScenarioResults`].
    pub simulation_results: Option<Json>,
    /// How long the simulation took.
    pub execution_time_seconds: Option<Stored<f64>>,
    /// How it stands among the others.
    pub node_status: Stored<NodeStatus>,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
}

/// A change of a scenario: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeChange {
    /// The scorecard's parameters.
    pub scorecard_params: Option<Json>,
    /// What simulating it gave.
    pub simulation_results: Option<Json>,
    /// How long that took.
    pub execution_time_seconds: Option<f64>,
    /// How it stands now.
    pub node_status: Option<NodeStatus>,
}

/// What one iteration of a search changes, together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplorationStep {
    /// The search as it is afterwards.
    pub exploration: Exploration,
    /// The new scenarios. One that came from another of them is deeper than it.
    pub new_nodes: Vec<ScenarioNode>,
    /// The new standing of scenarios of this search, new ones included; of several for one scenario the last counts.
    pub node_statuses: Vec<(String, NodeStatus)>,
}

/// How many scenarios of a search stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// To be developed.
    pub active: u64,
    /// Given up for better ones.
    pub dominated: u64,
    /// At the goal.
    pub winner: u64,
    /// Failed to develop.
    pub expansion_failed: u64,
}

impl NodeCounts {
    /// Sets the count of one standing.
    pub fn set(&mut self, status: NodeStatus, count: u64) {
        *match status {
            NodeStatus::Active => &mut self.active,
            NodeStatus::Dominated => &mut self.dominated,
            NodeStatus::Winner => &mut self.winner,
            NodeStatus::ExpansionFailed => &mut self.expansion_failed,
        } = count;
    }
}

/// Why an exploration or a scenario is not accepted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExplorationError {
    /// A number is out of its range.
    #[error("{field} must be from {min} to {max}")]
    OutOfRange {
        /// Which number.
        field: &'static str,
        /// The least it may be.
        min: f64,
        /// The most.
        max: f64,
    },
    /// The text is none of those that are known.
    #[error("{field} must be {expected:?}")]
    Unknown {
        /// Which text.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The text has too many characters.
    #[error("{field} may have at most {max} characters")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most it may have.
        max: usize,
    },
    /// The three rates do not make one.
    #[error("the three rates must sum up to 1 (give or take 0.01)")]
    RatesSum,
    /// A root has neither parent nor action.
    #[error("a scenario of depth 0 has neither a parent nor an action")]
    RootWithParent,
    /// Every other scenario has a parent.
    #[error("a scenario below depth 0 needs a parent")]
    WithoutParent,
}

/// Refuses a number out of its range; NaN is out of every range.
fn check_range(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), ExplorationError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ExplorationError::OutOfRange { field, min, max })
    }
}

/// What a search is after: the typed view of `explorations.goal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplorationGoal {
    /// Always `success_rate`.
    pub metric: String,
    /// Always `>=`.
    pub operator: String,
    /// The rate to reach.
    pub value: f64,
}

impl ExplorationGoal {
    /// A success rate of at least `value`.
    pub fn success_rate(value: f64) -> Self {
        Self {
            metric: "success_rate".to_owned(),
            operator: ">=".to_owned(),
            value,
        }
    }

    /// Checks the metric, the operator and the range of the value.
    pub fn check(&self) -> Result<(), ExplorationError> {
        let known = Self::success_rate(self.value);
        if self.metric != known.metric {
            return Err(ExplorationError::Unknown {
                field: "metric",
                expected: "success_rate",
            });
        }
        if self.operator != known.operator {
            return Err(ExplorationError::Unknown {
                field: "operator",
                expected: ">=",
            });
        }
        check_range("value", self.value, 0.0, 1.0)
    }

    /// Whether `success_rate` is good enough.
    pub fn is_met_by(&self, success_rate: f64) -> bool {
        success_rate >= self.value
    }
}

/// How a search is carried out: the typed view of `explorations.config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ExplorationConfig {
    /// Scenarios developed at a time, 1 to 10.
    pub beam_width: i64,
    /// The deepest scenario, 1 to 10.
    pub max_depth: i64,
    /// How often the language model may be asked, 1 to 100.
    pub max_llm_calls: i64,
    /// Executions for each synth, 10 to 1000.
    pub n_executions: i64,
    /// Noise, 0 to 0.5.
    pub sigma: f64,
    /// Makes the search repeatable.
    pub seed: Option<i64>,
}

impl Default for ExplorationConfig {
    fn default() -> Self {
        Self {
            beam_width: 3,
            max_depth: 5,
            max_llm_calls: 20,
            n_executions: 100,
            sigma: 0.1,
            seed: None,
        }
    }
}

impl ExplorationConfig {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), ExplorationError> {
        check_range("beam_width", self.beam_width as f64, 1.0, 10.0)?;
        check_range("max_depth", self.max_depth as f64, 1.0, 10.0)?;
        check_range("max_llm_calls", self.max_llm_calls as f64, 1.0, 100.0)?;
        check_range("n_executions", self.n_executions as f64, 10.0, 1000.0)?;
        check_range("sigma", self.sigma, 0.0, 0.5)
    }
}

/// The scores of a scenario's scorecard: the typed view of `scenario_nodes.scorecard_params`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScorecardParams {
    /// How complex the feature is.
    pub complexity: f64,
    /// How much it takes to begin.
    pub initial_effort: f64,
    /// How risky it seems.
    pub perceived_risk: f64,
    /// How long it takes to be worth it.
    pub time_to_value: f64,
}

impl ScorecardParams {
    /// Each is from 0 to 1.
    pub fn check(&self) -> Result<(), ExplorationError> {
        check_range("complexity", self.complexity, 0.0, 1.0)?;
        check_range("initial_effort", self.initial_effort, 0.0, 1.0)?;
        check_range("perceived_risk", self.perceived_risk, 0.0, 1.0)?;
        check_range("time_to_value", self.time_to_value, 0.0, 1.0)
    }

    /// The scores after an action with these impacts, each kept from 0 to 1.
    #[must_use]
    pub fn after(&self, impacts: &Self) -> Self {
        let sum = |score: f64, impact: f64| (score + impact).clamp(0.0, 1.0);
        Self {
            complexity: sum(self.complexity, impacts.complexity),
            initial_effort: sum(self.initial_effort, impacts.initial_effort),
            perceived_risk: sum(self.perceived_risk, impacts.perceived_risk),
            time_to_value: sum(self.time_to_value, impacts.time_to_value),
        }
    }
}

/// What simulating a scenario gave: the typed view of `scenario_nodes.simulation_results`. Here the second rate is
/// spelt `fail_rate`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScenarioResults {
    /// The share that succeeded.
    pub success_rate: f64,
    /// The share that tried and failed.
    pub fail_rate: f64,
    /// The share that did not try.
    pub did_not_try_rate: f64,
}

impl ScenarioResults {
    /// Each rate is from 0 to 1, and they sum up to 1, give or take 0.01.
    pub fn check(&self) -> Result<(), ExplorationError> {
        check_range("success_rate", self.success_rate, 0.0, 1.0)?;
        check_range("fail_rate", self.fail_rate, 0.0, 1.0)?;
        check_range("did_not_try_rate", self.did_not_try_rate, 0.0, 1.0)?;
        if (self.success_rate + self.fail_rate + self.did_not_try_rate - 1.0).abs() <= 0.01 {
            Ok(())
        } else {
            Err(ExplorationError::RatesSum)
        }
    }
}

impl ScenarioNode {
    /// Checks the lengths of the texts, and that exactly the root has no parent.
    pub fn check(&self) -> Result<(), ExplorationError> {
        for (field, text, max) in [
            ("action_applied", &self.action_applied, ACTION_MAX),
            ("rationale", &self.rationale, RATIONALE_MAX),
            ("short_action", &self.short_action, SHORT_ACTION_MAX),
        ] {
            if text.as_ref().is_some_and(|text| text.chars().count() > max) {
                return Err(ExplorationError::TooLong { field, max });
            }
        }
        match self.depth.known() {
            Some(0) if self.parent_id.is_some() || self.action_applied.is_some() => {
                Err(ExplorationError::RootWithParent)
            }
            Some(1..) if self.parent_id.is_none() => Err(ExplorationError::WithoutParent),
            _ => Ok(()),
        }
    }

    /// The rate by which scenarios are compared, if the scenario was simulated.
    pub fn success_rate(&self) -> Option<f64> {
        let results = self.simulation_results.as_ref()?;
        results.value().get("success_rate")?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<T: serde::de::DeserializeOwned>(text: &str) -> T {
        Json::parse(text).unwrap().view().unwrap()
    }

    #[test]
    fn only_a_running_search_may_end() {
        use ExplorationStatus::Running;
        for next in ExplorationStatus::ALL {
            assert_eq!(Running.may_become(*next), *next != Running);
            assert!(!ExplorationStatus::GoalAchieved.may_become(*next));
        }
    }

    #[test]
    fn a_dominated_scenario_may_still_win() {
        assert!(NodeStatus::Active.may_become(NodeStatus::Dominated));
        assert!(NodeStatus::Dominated.may_become(NodeStatus::Winner));
        assert!(!NodeStatus::Dominated.may_become(NodeStatus::Active));
        assert!(!NodeStatus::Winner.may_become(NodeStatus::Dominated));
    }

    #[test]
    fn goals_know_one_metric_and_one_operator() {
        assert_eq!(ExplorationGoal::success_rate(1.0).check(), Ok(()));
        assert!(ExplorationGoal::success_rate(0.4).is_met_by(0.4));
        for text in [
            r#"{"metric": "fail_rate", "operator": ">=", "value": 0.5}"#,
            r#"{"metric": "success_rate", "operator": ">", "value": 0.5}"#,
            r#"{"metric": "success_rate", "operator": ">=", "value": 1.01}"#,
        ] {
            assert!(view::<ExplorationGoal>(text).check().is_err(), "{text}");
        }
    }

    #[test]
    fn configuration_has_defaults_and_ranges() {
        assert_eq!(view::<ExplorationConfig>("{}"), ExplorationConfig::default());
        assert_eq!(ExplorationConfig::default().check(), Ok(()));
        for text in [
            r#"{"beam_width": 0}"#,
            r#"{"max_depth": 11}"#,
            r#"{"max_llm_calls": 101}"#,
            r#"{"n_executions": 9}"#,
            r#"{"sigma": 0.6}"#,
        ] {
            assert!(view::<ExplorationConfig>(text).check().is_err(), "{text}");
        }
    }

    #[test]
    fn scores_and_rates_have_ranges() {
        let params = view::<ScorecardParams>(
            r#"{"complexity": 0.95, "initial_effort": 0.02, "perceived_risk": 0.5, "time_to_value": 1}"#,
        );
        assert_eq!(params.check(), Ok(()));
        let after = params.after(&ScorecardParams {
            complexity: 0.1,
            initial_effort: -0.1,
            perceived_risk: 0.0,
            time_to_value: 0.1,
        });
        assert_eq!(
            (after.complexity, after.initial_effort, after.time_to_value),
            (1.0, 0.0, 1.0)
        );
        let results = |success_rate, fail_rate, did_not_try_rate| ScenarioResults {
            success_rate,
            fail_rate,
            did_not_try_rate,
        };
        assert_eq!(results(0.5, 0.3, 0.2).check(), Ok(()));
        assert_eq!(results(0.5, 0.3, 0.1).check(), Err(ExplorationError::RatesSum));
        assert!(results(1.5, -0.3, -0.2).check().is_err());
        assert!(results(f64::NAN, 0.3, 0.2).check().is_err());
    }

    fn node(depth: i64, parent: Option<&str>) -> ScenarioNode {
        ScenarioNode {
            id: "node_00000001".to_owned(),
            exploration_id: "expl_00000001".to_owned(),
            parent_id: parent.map(str::to_owned),
            depth: depth.into(),
            action_applied: None,
            action_category: None,
            rationale: None,
            short_action: None,
            scorecard_params: Json::parse("{}").unwrap(),
            simulation_results: None,
            execution_time_seconds: None,
            node_status: NodeStatus::Active.into(),
            created_at: Timestamp::from_micros(0).unwrap().into(),
        }
    }

    #[test]
    fn exactly_the_root_has_no_parent() {
        assert_eq!(node(0, None).check(), Ok(()));
        assert_eq!(
            node(0, Some("node_00000002")).check(),
            Err(ExplorationError::RootWithParent)
        );
        assert_eq!(node(1, None).check(), Err(ExplorationError::WithoutParent));
        let mut child = node(1, Some("node_00000002"));
        child.short_action = Some("é".repeat(SHORT_ACTION_MAX));
        assert_eq!(child.check(), Ok(()));
        child.rationale = Some("é".repeat(RATIONALE_MAX + 1));
        assert_eq!(
            child.check(),
            Err(ExplorationError::TooLong {
                field: "rationale",
                max: RATIONALE_MAX
            })
        );
    }

    #[test]
    fn the_success_rate_is_read_from_the_results() {
        let mut scenario = node(0, None);
        assert_eq!(scenario.success_rate(), None);
        for (text, rate) in [
            (r#"{"success_rate": 0.25}"#, Some(0.25)),
            (r#"{"success_rate": "0.25"}"#, None),
            ("[]", None),
        ] {
            scenario.simulation_results = Some(Json::parse(text).unwrap());
            assert_eq!(scenario.success_rate(), rate, "{text}");
        }
    }

    #[test]
    fn the_depth_limit_comes_before_the_cost_limit() {
        let config = ExplorationConfig::default();
        let mut exploration = Exploration {
            id: "expl_00000001".to_owned(),
            experiment_id: "exp_00000001".to_owned(),
            baseline_analysis_id: "ana_00000001".to_owned(),
            goal: Json::parse("{}").unwrap(),
            config: Json::parse("{}").unwrap(),
            status: ExplorationStatus::Running.into(),
            current_depth: 4.into(),
            total_nodes: 1.into(),
            total_llm_calls: 19.into(),
            best_success_rate: None,
            started_at: Timestamp::from_micros(0).unwrap().into(),
            completed_at: None,
        };
        assert_eq!(exploration.limit_reached(&config), None);
        exploration.total_llm_calls = 20.into();
        assert_eq!(
            exploration.limit_reached(&config),
            Some(ExplorationStatus::CostLimitReached)
        );
        exploration.current_depth = 5.into();
        assert_eq!(
            exploration.limit_reached(&config),
            Some(ExplorationStatus::DepthLimitReached)
        );
    }
}
