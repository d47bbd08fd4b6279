//! Runs of the legacy simulation, and their outcomes.
//!
//! Outcomes belong to analysis runs, so a simulation gets an experiment and an analysis run of its own, its shadows. No
//! transaction spans the repositories: each step may be done twice, and a call that failed half-way is simply made
//! again.

use std::collections::HashSet;
use std::sync::Arc;

use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::{AnalysisRun, AnalysisStatus, Rates};
use cutover_domain::lab::region_analysis::RegionAnalysis;
use cutover_domain::lab::simulation::{SimulationConfig, SimulationFilter, SimulationRun, shadow_run_id};
use cutover_domain::lab::synth_outcome::{SynthAttributes, SynthOutcome};
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::{
    AnalysisRunRepository, ExperimentRepository, LabRepositories, RegionAnalysisRepository,
    ScorecardRepository, SimulationRepository, SynthOutcomeRepository,
};
use cutover_ports::{Page, PageRequest, StoreError};

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// What can be done with simulations.
#[derive(Clone)]
pub struct Simulations {
    runs: Arc<dyn SimulationRepository>,
    regions: Arc<dyn RegionAnalysisRepository>,
    scorecards: Arc<dyn ScorecardRepository>,
    experiments: Arc<dyn ExperimentRepository>,
    analysis_runs: Arc<dyn AnalysisRunRepository>,
    outcomes: Arc<dyn SynthOutcomeRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Simulations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulations").finish_non_exhaustive()
    }
}

/// A simulation to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSimulation {
    /// The scorecard it tries.
    pub scorecard_id: String,
    /// The scenario it plays.
    pub scenario_id: String,
    /// What it is asked to do.
    pub config: SimulationConfig,
}

/// How one synth fared in a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOutcome {
    /// The synth.
    pub synth_id: String,
    /// Its rates.
    pub rates: Rates,
    /// What it was like: [`SynthAttributes`].
    pub synth_attributes: Json,
}

/// Runs beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The runs.
    pub runs: Vec<SimulationRun>,
    /// The regions that differ most between the runs' scenarios.
    pub regions: Vec<AffectedRegion>,
}

/// A region that several scenarios have.
#[derive(Debug, Clone, PartialEq)]
pub struct AffectedRegion {
    /// What its synths have in common.
    pub rule_text: String,
    /// The share of executions that they tried and failed, by scenario, to three places.
    pub failed_by_scenario: Vec<(String, f64)>,
}

/// The most regions that a comparison shows.
const AFFECTED_MAX: usize = 10;

impl Simulations {
    /// On these repositories.
    pub fn new(lab: &LabRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            runs: Arc::clone(&lab.simulations),
            regions: Arc::clone(&lab.region_analyses),
            scorecards: Arc::clone(&lab.scorecards),
            experiments: Arc::clone(&lab.experiments),
            analysis_runs: Arc::clone(&lab.analysis_runs),
            outcomes: Arc::clone(&lab.synth_outcomes),
            clock,
            ids,
        }
    }

    /// Stores a new run, which is under way from now on.
    pub async fn start(&self, new: NewSimulation) -> Result<SimulationRun, UseCaseError> {
        new.config
            .check()
            .map_err(|error| UseCaseError::invalid(error.field, error.to_string()))?;
        let config = new
            .config
            .to_json()
            .map_err(|error| UseCaseError::invalid("config", error.to_string()))?;
        let mut run = SimulationRun {
            id: String::new(),
            scorecard_id: new.scorecard_id,
            scenario_id: new.scenario_id,
            config,
            status: AnalysisStatus::Running.into(),
            started_at: self.clock.now().into(),
            completed_at: None,
            total_synths: None,
            aggregated_outcomes: None,
            execution_time_seconds: None,
        };
        for _ in 0..ID_ATTEMPTS {
            run.id = format!("sim_{}", self.ids.hex(8));
            match self.runs.insert(&run).await {
                Ok(()) => return Ok(run),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Missing(_)) => {
                    return Err(UseCaseError::not_found("Scorecard", &run.scorecard_id));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("simulation_runs.id").into())
    }

    /// Stores how far a run is, and its shadow with it, if it has one already.
    pub async fn record(&self, run: &SimulationRun) -> Result<(), UseCaseError> {
        if !self.runs.update(run).await? {
            return Err(UseCaseError::not_found("Simulation", &run.id));
        }
        let shadow = run.shadow_run();
        let stored = self.analysis_runs.get(&shadow.id).await?;
        if let (Some(stored), Some(progress)) = (stored, run.shadow_progress())
            && stored.experiment_id == shadow.experiment_id
        {
            self.analysis_runs.update(&shadow.id, &progress).await?;
        }
        Ok(())
    }

    /// Stores the outcomes of a run, all or none, each in place of the one that its synth has; how many there are.
    pub async fn save_outcomes(
        &self,
        simulation_id: &str,
        outcomes: &[SimulationOutcome],
    ) -> Result<u64, UseCaseError> {
        check_outcomes(outcomes)?;
        let run = self.get(simulation_id).await?;
        let shadow = run.shadow_run();
        self.ensure_shadow(&run, &shadow).await?;
        let rows: Vec<SynthOutcome> = outcomes
            .iter()
            .map(|outcome| {
                let attributes = Some(outcome.synth_attributes.clone());
                SynthOutcome::of_analysis(&shadow.id, &outcome.synth_id, outcome.rates, attributes)
            })
            .collect();
        self.outcomes.save(&rows).await?;
        Ok(rows.len() as u64)
    }

    /// Makes the run's shadows unless they exist. What exists under their ids and is no shadow of this run is left
    /// alone, and the ids are in conflict.
    async fn ensure_shadow(&self, run: &SimulationRun, shadow: &AnalysisRun) -> Result<(), UseCaseError> {
        if self.has_shadow_run(shadow).await? {
            return Ok(());
        }
        match self.experiments.find(&shadow.experiment_id).await? {
            Some(experiment) if run.is_shadow(&experiment) => {}
            Some(_) => return Err(StoreError::conflict("experiments.id").into()),
            None => {
                let experiment = run.shadow_experiment(self.clock.now());
                match self.experiments.insert(&experiment).await {
                    // Another call for this run was faster.
                    Ok(()) | Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        match self.analysis_runs.insert(shadow).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict(_)) if self.has_shadow_run(shadow).await? => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn has_shadow_run(&self, shadow: &AnalysisRun) -> Result<bool, UseCaseError> {
        match self.analysis_runs.get(&shadow.id).await? {
            Some(stored) if stored.experiment_id == shadow.experiment_id => Ok(true),
            Some(_) => Err(StoreError::conflict("analysis_runs.id").into()),
            None => Ok(false),
        }
    }

    /// The run.
    pub async fn get(&self, id: &str) -> Result<SimulationRun, UseCaseError> {
        let run = self.runs.get(id).await?;
        run.ok_or_else(|| UseCaseError::not_found("Simulation", id))
    }

    /// Runs beside each other, in the order of `ids`, and the regions that differ most between their scenarios.
    pub async fn compare(&self, ids: &[String]) -> Result<Comparison, UseCaseError> {
        // A comparison is of five at most.
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let run = self.runs.get(id).await?;
            let run = run.ok_or_else(|| UseCaseError::NotFound(format!("Simulation not found: {id}")))?;
            found.push((run, self.regions.list(id).await?));
        }
        let regions = most_affected(&found);
        let runs = found.into_iter().map(|(run, _)| run).collect();
        Ok(Comparison { runs, regions })
    }

    /// The run's outcomes by synth.
    pub async fn outcomes(&self, id: &str, page: PageRequest) -> Result<Page<SynthOutcome>, UseCaseError> {
        let run = self.get(id).await?;
        Ok(self.outcomes.list(&shadow_run_id(&run.id), page).await?)
    }

    /// The runs that `filter` lets through, newest first. An empty text lets everything through.
    pub async fn list(
        &self,
        filter: SimulationFilter,
        page: PageRequest,
    ) -> Result<Page<SimulationRun>, UseCaseError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let filter = SimulationFilter {
            scorecard_id: given(filter.scorecard_id),
            scenario_id: given(filter.scenario_id),
            status: given(filter.status),
        };
        Ok(self.runs.list(&filter, page).await?)
    }

    /// The runs of all scorecards of an experiment, newest first.
    pub async fn list_by_experiment(
        &self,
        experiment_id: &str,
        page: PageRequest,
    ) -> Result<Page<SimulationRun>, UseCaseError> {
        let scorecards = self.scorecards.ids_by_experiment(experiment_id).await?;
        if scorecards.is_empty() {
            let items = Vec::new();
            return Ok(Page { items, total: 0 });
        }
        Ok(self.runs.list_by_scorecards(&scorecards, page).await?)
    }
}

/// The regions of at least two scenarios whose failures vary most between them, those first. Of runs of one scenario the last
/// one counts; a rate that is no number is passed over.
fn most_affected(runs: &[(SimulationRun, Vec<RegionAnalysis>)]) -> Vec<AffectedRegion> {
    let mut regions: Vec<AffectedRegion> = Vec::new();
    for (run, region) in runs
        .iter()
        .flat_map(|(run, regions)| regions.iter().map(move |region| (run, region)))
    {
        let Some(failed) = region
            .failed_rate
            .known()
            .copied()
            .filter(|rate| rate.is_finite())
        else {
            continue;
        };
        let known = regions
            .iter()
            .position(|known| known.rule_text == region.rule_text);
        let index = known.unwrap_or_else(|| {
            regions.push(AffectedRegion {
                rule_text: region.rule_text.clone(),
                failed_by_scenario: Vec::new(),
            });
            regions.len() - 1
        });
        let rates = &mut regions[index].failed_by_scenario;
        match rates
            .iter_mut()
            .find(|(scenario, _)| *scenario == run.scenario_id)
        {
            Some((_, rate)) => *rate = failed,
            None => rates.push((run.scenario_id.clone(), failed)),
        }
    }
    regions.retain(|region| region.failed_by_scenario.len() > 1);
    // Variances that are equal to three places are, as in the original, and such regions stay in the order in which they came.
    regions.sort_by(|one, other| {
        let variance = |region: &AffectedRegion| to_three_places(variance(&region.failed_by_scenario));
        variance(other).total_cmp(&variance(one))
    });
    regions.truncate(AFFECTED_MAX);
    for (_, rate) in regions
        .iter_mut()
        .flat_map(|region| &mut region.failed_by_scenario)
    {
        *rate = to_three_places(*rate);
    }
    regions
}

fn variance(rates: &[(String, f64)]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are five at most")]
    let count = rates.len() as f64;
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count
}

/// The number whose decimal spelling has three places at most.
fn to_three_places(number: f64) -> f64 {
    format!("{number:.3}").parse().unwrap_or(number)
}

/// Each synth has one outcome, whose numbers keep their rules.
fn check_outcomes(outcomes: &[SimulationOutcome]) -> Result<(), UseCaseError> {
    let mut synths = HashSet::with_capacity(outcomes.len());
    for outcome in outcomes {
        let synth = outcome.synth_id.as_str();
        let refuse = |field, reason: &dyn std::fmt::Display| {
            UseCaseError::invalid(field, format!("synth {synth}: {reason}"))
        };
        if !synths.insert(synth) {
            return Err(refuse("synth_id", &"there is more than one outcome of it"));
        }
        outcome.rates.check().map_err(|error| refuse("rates", &error))?;
        let attributes: SynthAttributes = outcome
            .synth_attributes
            .view()
            .map_err(|error| refuse("synth_attributes", &error))?;
        attributes
            .check()
            .map_err(|error| refuse("synth_attributes", &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cutover_domain::lab::analysis_run::AnalysisProgress;
    use cutover_domain::lab::experiment::Experiment;
    use cutover_domain::time::Timestamp;
    use cutover_ports::clock::{MockClock, MockIds};
    use cutover_ports::lab::{
        MockAnalysisRunRepository, MockExperimentRepository, MockRegionAnalysisRepository,
        MockScorecardRepository, MockSimulationRepository, MockSynthOutcomeRepository,
    };

    use super::*;

    /// The stores of a test; one that is not told anything panics when it is asked.
    #[derive(Default)]
    struct Stores {
        simulations: MockSimulationRepository,
        scorecards: MockScorecardRepository,
        experiments: MockExperimentRepository,
        analysis_runs: MockAnalysisRunRepository,
        outcomes: MockSynthOutcomeRepository,
    }

    impl Stores {
        /// Stores that know the run `sim_0000000a`.
        fn with_run() -> Self {
            let mut stores = Self::default();
            stores
                .simulations
                .expect_get()
                .withf(|id| id == "sim_0000000a")
                .returning(|_| Ok(Some(run())));
            stores
        }

        fn use_case(self) -> Simulations {
            let mut clock = MockClock::new();
            clock.expect_now().return_const(Timestamp::EPOCH);
            let (mut ids, mut next) = (MockIds::new(), 0);
            ids.expect_hex().returning(move |count| {
                next += 1;
                format!("{next:0count$}")
            });
            Simulations {
                runs: Arc::new(self.simulations),
                regions: Arc::new(MockRegionAnalysisRepository::new()),
                scorecards: Arc::new(self.scorecards),
                experiments: Arc::new(self.experiments),
                analysis_runs: Arc::new(self.analysis_runs),
                outcomes: Arc::new(self.outcomes),
                clock: Arc::new(clock),
                ids: Arc::new(ids),
            }
        }
    }

    fn run() -> SimulationRun {
        SimulationRun {
            id: "sim_0000000a".to_owned(),
            scorecard_id: "Ab12cd34".to_owned(),
            scenario_id: "crisis".to_owned(),
            config: Json::from_trusted("{}"),
            status: AnalysisStatus::Completed.into(),
            started_at: Timestamp::EPOCH.into(),
            completed_at: Some(Timestamp::EPOCH.into()),
            total_synths: Some(1.into()),
            aggregated_outcomes: None,
            execution_time_seconds: None,
        }
    }

    fn new_simulation(n_synths: i64) -> NewSimulation {
        NewSimulation {
            scorecard_id: "Ab12cd34".to_owned(),
            scenario_id: "crisis".to_owned(),
            config: SimulationConfig {
                n_synths,
                n_executions: 1,
                sigma: 0.05,
                seed: None,
            },
        }
    }

    fn outcome(synth_id: &str) -> SimulationOutcome {
        let attributes = r#"{"observables": {"digital_literacy": 0.1, "similar_tool_experience": 0.2,
            "motor_ability": 1, "time_availability": 0, "domain_expertise": 0.5},
            "latent_traits": {"capability_mean": 0.5, "trust_mean": 0.5, "friction_tolerance_mean": 0.5,
            "exploration_prob": 0.5}}"#;
        SimulationOutcome {
            synth_id: synth_id.to_owned(),
            rates: Rates {
                did_not_try_rate: 0.25,
                failed_rate: 0.25,
                success_rate: 0.5,
            },
            synth_attributes: Json::parse(attributes).unwrap(),
        }
    }

    fn unavailable() -> StoreError {
        StoreError::Unavailable("gone".into())
    }

    fn is_conflict(error: &UseCaseError, key: &str) -> bool {
        matches!(error, UseCaseError::Store(StoreError::Conflict(found)) if found == key)
    }

    #[tokio::test]
    async fn a_wrong_configuration_reaches_no_store() {
        let error = Stores::default().use_case().start(new_simulation(0)).await;
        assert!(matches!(
            error,
            Err(UseCaseError::Invalid {
                field: "n_synths",
                ..
            })
        ));
    }

    #[tokio::test]
    async fn a_taken_random_id_is_replaced_by_another() {
        let mut stores = Stores::default();
        stores.simulations.expect_insert().times(2).returning(|run| {
            if run.id == "sim_00000001" {
                Err(StoreError::conflict("simulation_runs.id"))
            } else {
                Ok(())
            }
        });
        let run = stores.use_case().start(new_simulation(3)).await.unwrap();
        assert_eq!(run.id, "sim_00000002");
        assert_eq!(run.status.known(), Some(&AnalysisStatus::Running));
        assert_eq!(
            run.config.as_str(),
            r#"{"n_synths": 3, "n_executions": 1, "sigma": 0.05, "seed": null}"#
        );
    }

    #[tokio::test]
    async fn a_scorecard_that_does_not_exist_is_told_by_its_id() {
        let mut stores = Stores::default();
        stores
            .simulations
            .expect_insert()
            .times(1)
            .returning(|_| Err(StoreError::missing("feature_scorecards")));
        let error = stores.use_case().start(new_simulation(3)).await.unwrap_err();
        assert_eq!(error.to_string(), "Scorecard Ab12cd34 not found");
    }

    #[tokio::test]
    async fn the_first_outcomes_make_the_shadows_first() {
        let mut stores = Stores::with_run();
        let mut order = mockall::Sequence::new();
        stores.analysis_runs.expect_get().times(1).returning(|_| Ok(None));
        stores.experiments.expect_find().times(1).returning(|_| Ok(None));
        stores
            .experiments
            .expect_insert()
            .times(1)
            .in_sequence(&mut order)
            .returning(|experiment| {
                assert_eq!(
                    (experiment.id.as_str(), experiment.name.as_str()),
                    ("exp_0000000a", "Simulation sim_0000000a")
                );
                Ok(())
            });
        stores
            .analysis_runs
            .expect_insert()
            .times(1)
            .in_sequence(&mut order)
            .returning(|shadow| {
                assert_eq!(*shadow, run().shadow_run());
                Ok(())
            });
        stores
            .outcomes
            .expect_save()
            .times(1)
            .in_sequence(&mut order)
            .returning(|rows| {
                let keys: Vec<_> = rows.iter().map(|row| row.id.as_deref().unwrap()).collect();
                assert_eq!(keys, ["ana_0000000a_abc123", "ana_0000000a_def456"]);
                assert!(rows.iter().all(|row| row.analysis_id == "ana_0000000a"));
                Ok(())
            });
        let outcomes = [outcome("abc123"), outcome("def456")];
        let stored = stores.use_case().save_outcomes("sim_0000000a", &outcomes).await;
        assert_eq!(stored.unwrap(), 2);
    }

    #[tokio::test]
    async fn shadows_that_exist_are_not_made_again() {
        let mut stores = Stores::with_run();
        stores
            .analysis_runs
            .expect_get()
            .times(1)
            .returning(|_| Ok(Some(run().shadow_run())));
        stores.outcomes.expect_save().times(1).returning(|_| Ok(()));
        let stored = stores
            .use_case()
            .save_outcomes("sim_0000000a", &[outcome("abc123")])
            .await;
        assert_eq!(stored.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_call_that_another_one_overtakes_goes_on() {
        let mut stores = Stores::with_run();
        let mut asked = 0;
        stores.analysis_runs.expect_get().times(2).returning(move |_| {
            asked += 1;
            Ok((asked == 2).then(|| run().shadow_run()))
        });
        stores.experiments.expect_find().returning(|_| Ok(None));
        stores
            .experiments
            .expect_insert()
            .times(1)
            .returning(|_| Err(StoreError::conflict("experiments.id")));
        stores
            .analysis_runs
            .expect_insert()
            .times(1)
            .returning(|_| Err(StoreError::conflict("analysis_runs.id")));
        stores.outcomes.expect_save().times(1).returning(|_| Ok(()));
        let stored = stores
            .use_case()
            .save_outcomes("sim_0000000a", &[outcome("abc123")])
            .await;
        assert_eq!(stored.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_experiment_that_is_no_shadow_gets_no_outcomes() {
        let mut stores = Stores::with_run();
        stores.analysis_runs.expect_get().returning(|_| Ok(None));
        stores.experiments.expect_find().returning(|_| {
            Ok(Some(Experiment {
                name: "Busca".to_owned(),
                hypothesis: "people find it".to_owned(),
                ..run().shadow_experiment(Timestamp::EPOCH)
            }))
        });
        let error = stores
            .use_case()
            .save_outcomes("sim_0000000a", &[outcome("abc123")])
            .await
            .unwrap_err();
        assert!(is_conflict(&error, "experiments.id"), "{error}");
    }

    #[tokio::test]
    async fn a_run_of_another_experiment_gets_no_outcomes() {
        let mut stores = Stores::with_run();
        stores.analysis_runs.expect_get().returning(|_| {
            Ok(Some(AnalysisRun {
                experiment_id: "exp_ffffffff".to_owned(),
                ..run().shadow_run()
            }))
        });
        let error = stores
            .use_case()
            .save_outcomes("sim_0000000a", &[outcome("abc123")])
            .await
            .unwrap_err();
        assert!(is_conflict(&error, "analysis_runs.id"), "{error}");
    }

    #[tokio::test]
    async fn outcomes_that_break_a_rule_reach_no_store() {
        let with = |change: fn(&mut SimulationOutcome)| {
            let mut broken = outcome("def456");
            change(&mut broken);
            [outcome("abc123"), broken]
        };
        for (field, outcomes) in [
            ("synth_id", with(|broken| broken.synth_id = "abc123".to_owned())),
            ("rates", with(|broken| broken.rates.success_rate = 0.9)),
            (
                "synth_attributes",
                with(|broken| broken.synth_attributes = Json::from_trusted("{}")),
            ),
            (
                "synth_attributes",
                with(|broken| {
                    let text = broken.synth_attributes.as_str().replace("0.1", "1.1");
                    broken.synth_attributes = Json::from_trusted(text);
                }),
            ),
        ] {
            let error = Stores::default()
                .use_case()
                .save_outcomes("sim_0000000a", &outcomes)
                .await
                .unwrap_err();
            assert!(
                matches!(&error, UseCaseError::Invalid { field: found, .. } if *found == field),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn nothing_follows_a_step_that_failed() {
        let mut stores = Stores::with_run();
        stores.analysis_runs.expect_get().returning(|_| Ok(None));
        stores.experiments.expect_find().returning(|_| Ok(None));
        stores
            .experiments
            .expect_insert()
            .times(1)
            .returning(|_| Err(unavailable()));
        let error = stores
            .use_case()
            .save_outcomes("sim_0000000a", &[outcome("abc123")])
            .await
            .unwrap_err();
        assert!(matches!(error, UseCaseError::Store(StoreError::Unavailable(_))));
    }

    #[tokio::test]
    async fn the_shadow_follows_its_simulation() {
        let mut stores = Stores::default();
        stores
            .simulations
            .expect_update()
            .times(1)
            .returning(|_| Ok(true));
        stores
            .analysis_runs
            .expect_get()
            .times(1)
            .returning(|_| Ok(Some(run().shadow_run())));
        stores
            .analysis_runs
            .expect_update()
            .times(1)
            .returning(|id, progress| {
                assert_eq!(id, "ana_0000000a");
                let expected = AnalysisProgress {
                    completed_at: Some(Timestamp::EPOCH),
                    total_synths: Some(1),
                    ..AnalysisProgress::to(AnalysisStatus::Completed)
                };
                assert_eq!(*progress, expected);
                Ok(Some(run().shadow_run()))
            });
        stores.use_case().record(&run()).await.unwrap();
    }

    #[tokio::test]
    async fn a_run_that_is_no_shadow_does_not_follow() {
        for stored in [
            None,
            Some(AnalysisRun {
                experiment_id: "exp_ffffffff".to_owned(),
                ..run().shadow_run()
            }),
        ] {
            let mut stores = Stores::default();
            stores
                .simulations
                .expect_update()
                .times(1)
                .returning(|_| Ok(true));
            stores
                .analysis_runs
                .expect_get()
                .returning(move |_| Ok(stored.clone()));
            stores.use_case().record(&run()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_unknown_simulation_is_not_found() {
        let mut stores = Stores::default();
        stores.simulations.expect_get().returning(|_| Ok(None));
        stores.simulations.expect_update().returning(|_| Ok(false));
        let simulations = stores.use_case();
        let page = PageRequest::first(5);
        for error in [
            simulations.get("sim_0000000a").await.unwrap_err(),
            simulations.outcomes("sim_0000000a", page).await.unwrap_err(),
            simulations.save_outcomes("sim_0000000a", &[]).await.unwrap_err(),
            simulations.record(&run()).await.unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "Simulation sim_0000000a not found");
        }
    }

    fn region(rule_text: &str, failed: f64) -> RegionAnalysis {
        RegionAnalysis {
            id: "region_0000000a".to_owned(),
            rules: Json::from_trusted("[]"),
            rule_text: rule_text.to_owned(),
            synth_count: 1.into(),
            synth_percentage: 10.0.into(),
            did_not_try_rate: 0.0.into(),
            failed_rate: failed.into(),
            success_rate: 0.0.into(),
            failure_delta: 0.0.into(),
        }
    }

    #[test]
    fn regions_of_several_scenarios_come_by_how_much_they_differ() {
        let of = |scenario: &str, regions: Vec<RegionAnalysis>| {
            let scenario_id = scenario.to_owned();
            (SimulationRun { scenario_id, ..run() }, regions)
        };
        let affected = most_affected(&[
            of(
                "crisis",
                vec![region("little", 0.2), region("much", 0.1), region("once", 0.1)],
            ),
            of("baseline", vec![region("little", 0.9), region("odd", f64::NAN)]),
            of(
                "baseline",
                vec![
                    region("little", 0.210_51),
                    region("much", 0.8),
                    region("odd", 0.1),
                ],
            ),
        ]);
        let shown: Vec<_> = affected
            .iter()
            .map(|region| {
                let rates = region.failed_by_scenario.iter();
                let rates: Vec<_> = rates.map(|(scenario, rate)| (scenario.as_str(), *rate)).collect();
                (region.rule_text.as_str(), rates)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("much", vec![("crisis", 0.1), ("baseline", 0.8)]),
                ("little", vec![("crisis", 0.2), ("baseline", 0.211)]),
            ]
        );

        let many = |rate| (0..12).map(|number| region(&number.to_string(), rate)).collect();
        let affected = most_affected(&[of("crisis", many(0.1)), of("baseline", many(0.2))]);
        assert_eq!(affected.len(), AFFECTED_MAX);
        assert_eq!(affected[0].rule_text, "0");
    }

    #[test]
    fn a_rate_between_two_spellings_gets_the_even_one() {
        for (number, rounded) in [
            (0.062_5, 0.062),
            (0.187_5, 0.188),
            (0.210_000_000_000_000_02, 0.21),
        ] {
            assert_eq!(
                to_three_places(number).to_bits(),
                f64::to_bits(rounded),
                "{number}"
            );
        }
    }

    #[tokio::test]
    async fn outcomes_are_listed_under_the_shadow() {
        let mut stores = Stores::with_run();
        stores
            .outcomes
            .expect_list()
            .times(1)
            .withf(|id, page| id == "ana_0000000a" && *page == PageRequest { limit: 5, offset: 10 })
            .returning(|_, _| {
                let items = Vec::new();
                Ok(Page { items, total: 10 })
            });
        let page = PageRequest { limit: 5, offset: 10 };
        let outcomes = stores.use_case().outcomes("sim_0000000a", page).await.unwrap();
        assert_eq!(outcomes.total, 10);
    }

    #[tokio::test]
    async fn an_empty_filter_lets_everything_through() {
        let mut stores = Stores::default();
        stores.simulations.expect_list().times(1).returning(|filter, _| {
            let expected = SimulationFilter {
                status: Some("failed".to_owned()),
                ..SimulationFilter::default()
            };
            assert_eq!(*filter, expected);
            let items = vec![run()];
            Ok(Page { items, total: 1 })
        });
        let filter = SimulationFilter {
            scorecard_id: Some(String::new()),
            scenario_id: None,
            status: Some("failed".to_owned()),
        };
        let page = stores
            .use_case()
            .list(filter, PageRequest::first(5))
            .await
            .unwrap();
        assert_eq!(page.items, [run()]);
    }

    #[tokio::test]
    async fn an_experiment_without_scorecards_has_no_simulations() {
        let mut stores = Stores::default();
        stores
            .scorecards
            .expect_ids_by_experiment()
            .times(1)
            .returning(|_| Ok(Vec::new()));
        let page = stores
            .use_case()
            .list_by_experiment("exp_0000000a", PageRequest::first(5))
            .await
            .unwrap();
        assert_eq!((page.total, page.items.len()), (0, 0));
    }

    #[tokio::test]
    async fn simulations_of_an_experiment_are_asked_for_once() {
        let mut stores = Stores::default();
        let scorecards = ["aaaaaaaa".to_owned(), "bbbbbbbb".to_owned()];
        let found = scorecards.to_vec();
        stores
            .scorecards
            .expect_ids_by_experiment()
            .times(1)
            .return_once(move |_| Ok(found));
        stores
            .simulations
            .expect_list_by_scorecards()
            .times(1)
            .returning(move |ids, _| {
                assert_eq!(ids, scorecards);
                let items = vec![run()];
                Ok(Page { items, total: 7 })
            });
        let page = stores
            .use_case()
            .list_by_experiment("exp_0000000a", PageRequest::first(1))
            .await
            .unwrap();
        assert_eq!((page.total, page.items), (7, vec![run()]));
    }
}
