//! Experiments with what belongs to them: composed from one batched question per repository, never one per row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cutover_domain::lab::analysis_run::AnalysisRun;
use cutover_domain::lab::experiment::{
    Experiment, ExperimentChange, ExperimentError, ExperimentStatus, ExperimentSummary, ScorecardData,
    check_texts, new_texts,
};
use cutover_domain::lab::experiment_document::DocumentType;
use cutover_domain::lab::research_execution::ResearchExecution;
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::LabRepositories;
use cutover_ports::{Page, PageRequest, StoreError, together};
use futures_util::future::{try_join3, try_join4};

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// The most interviews that an experiment's detail shows.
const INTERVIEWS_MAX: u32 = 100;

/// What can be done with experiments.
#[derive(Clone)]
pub struct Experiments {
    lab: Arc<LabRepositories>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Experiments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiments").finish_non_exhaustive()
    }
}

/// An experiment to be made.
#[derive(Debug, Clone, Default)]
pub struct NewExperiment {
    /// Its name.
    pub name: String,
    /// What is expected.
    pub hypothesis: String,
    /// Its description.
    pub description: Option<String>,
    /// Its scorecard.
    pub scorecard: Option<ScorecardData>,
}

/// An experiment as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedExperiment {
    /// The experiment.
    pub experiment: ExperimentSummary,
    /// Whether it has an analysis, in whatever state.
    pub has_analysis: bool,
    /// Whether it has an interview guide.
    pub has_interview_guide: bool,
    /// How many rounds of interviews it has.
    pub interview_count: u64,
}

/// An experiment and whether it has an interview guide.
#[derive(Debug, Clone, PartialEq)]
pub struct GuidedExperiment {
    /// The experiment.
    pub experiment: Experiment,
    /// Whether it has an interview guide.
    pub has_interview_guide: bool,
}

/// A round of interviews of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Interview {
    /// The round.
    pub execution: ResearchExecution,
    /// The turns of all its interviews.
    pub total_turns: i64,
    /// Whether there is a summary of it.
    pub has_summary: bool,
    /// Whether there is a PR/FAQ of it.
    pub has_prfaq: bool,
}

/// All about an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentDetail {
    /// The experiment.
    pub guided: GuidedExperiment,
    /// Its analysis.
    pub analysis: Option<AnalysisRun>,
    /// Its newest rounds of interviews.
    pub interviews: Vec<Interview>,
}

impl From<ExperimentError> for UseCaseError {
    fn from(error: ExperimentError) -> Self {
        let (ExperimentError::TooLong { field, .. } | ExperimentError::Blank { field }) = error;
        Self::invalid(field, error.to_string())
    }
}

impl Experiments {
    /// On these repositories.
    pub fn new(lab: Arc<LabRepositories>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { lab, clock, ids }
    }

    /// Makes an experiment: its texts checked and trimmed, with a random id.
    pub async fn create(&self, new: NewExperiment) -> Result<GuidedExperiment, UseCaseError> {
        let (name, hypothesis, description) =
            new_texts(&new.name, &new.hypothesis, new.description.as_deref())?;
        let mut experiment = Experiment {
            id: String::new(),
            name,
            hypothesis,
            description,
            scorecard_data: new.scorecard.as_ref().map(document).transpose()?,
            status: ExperimentStatus::Active.into(),
            created_at: self.clock.now().into(),
            updated_at: None,
        };
        for _ in 0..ID_ATTEMPTS {
            experiment.id = format!("exp_{}", self.ids.hex(8));
            match self.lab.experiments.insert(&experiment).await {
                Ok(()) => {
                    return Ok(GuidedExperiment {
                        experiment,
                        has_interview_guide: false,
                    });
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("experiments.id").into())
    }

    /// A page of experiments, newest first.
    pub async fn list(&self, page: PageRequest) -> Result<Page<ListedExperiment>, UseCaseError> {
        let experiments = self.lab.experiments.list(page).await?;
        let ids: Vec<String> = experiments
            .items
            .iter()
            .map(|experiment| experiment.id.clone())
            .collect();
        let (runs, guides, interviews) = if ids.is_empty() {
            (HashMap::new(), HashSet::new(), HashMap::new())
        } else {
            together(try_join3(
                self.lab.analysis_runs.runs_by_experiments(&ids),
                self.lab.interview_guides.exists_for(&ids),
                self.lab.research_executions.counts_by_experiment(&ids),
            ))
            .await?
        };
        Ok(experiments.map(|experiment| ListedExperiment {
            has_analysis: runs.contains_key(&experiment.id),
            has_interview_guide: guides.contains(&experiment.id),
            interview_count: interviews.get(&experiment.id).copied().unwrap_or(0),
            experiment,
        }))
    }

    /// The experiment with its analysis and its newest rounds of interviews.
    pub async fn detail(&self, id: &str) -> Result<ExperimentDetail, UseCaseError> {
        // Asked for at once: an experiment that does not exist is rare, and a round trip is not.
        let (experiment, has_interview_guide, analysis, executions) = together(try_join4(
            self.lab.experiments.get(id),
            self.lab.interview_guides.exists(id),
            self.lab.analysis_runs.find_by_experiment(id),
            self.lab
                .research_executions
                .newest_by_experiment(id, INTERVIEWS_MAX),
        ))
        .await?;
        let guided = GuidedExperiment {
            experiment: experiment.ok_or_else(|| not_found(id))?,
            has_interview_guide,
        };
        let interviews = self.interviews(id, executions).await?;
        Ok(ExperimentDetail {
            guided,
            analysis,
            interviews,
        })
    }

    async fn interviews(
        &self,
        experiment_id: &str,
        executions: Vec<ResearchExecution>,
    ) -> Result<Vec<Interview>, UseCaseError> {
        if executions.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = executions
            .iter()
            .map(|execution| execution.exec_id.clone())
            .collect();
        let experiments = [experiment_id.to_owned()];
        let (turns, summaries, prfaqs, documents) = together(try_join4(
            self.lab.research_executions.total_turns(&ids),
            self.lab.research_executions.with_summary(&ids),
            self.lab.prfaqs.completed_among(&ids),
            self.lab
                .experiment_documents
                .completed_by_experiment(&experiments),
        ))
        .await?;
        // Summaries and PR/FAQs are documents of the experiment now; older files have them beside the round.
        let documents = documents.get(experiment_id).map_or(&[][..], Vec::as_slice);
        let (summary, prfaq) = (
            documents.contains(&DocumentType::Summary),
            documents.contains(&DocumentType::Prfaq),
        );
        let interview = |execution: ResearchExecution| Interview {
            total_turns: turns.get(&execution.exec_id).copied().unwrap_or(0),
            has_summary: summary || summaries.contains(&execution.exec_id),
            has_prfaq: prfaq || prfaqs.contains(&execution.exec_id),
            execution,
        };
        Ok(executions.into_iter().map(interview).collect())
    }

    /// Changes the texts that `change` names. They are checked first, so that nothing is stored that a rule forbids.
    pub async fn update(
        &self,
        id: &str,
        change: &ExperimentChange,
    ) -> Result<GuidedExperiment, UseCaseError> {
        check_texts(change)?;
        let changed = self.lab.experiments.update(id, change, self.clock.now()).await?;
        self.guided(id, changed).await
    }

    /// Replaces the scorecard.
    pub async fn update_scorecard(
        &self,
        id: &str,
        scorecard: &ScorecardData,
    ) -> Result<GuidedExperiment, UseCaseError> {
        let document = document(scorecard)?;
        let changed = self
            .lab
            .experiments
            .update_scorecard(id, &document, self.clock.now())
            .await?;
        self.guided(id, changed).await
    }

    /// Takes the experiment out of sight; what belongs to it stays.
    pub async fn delete(&self, id: &str) -> Result<(), UseCaseError> {
        let deleted = self.lab.experiments.delete(id, self.clock.now()).await?;
        if deleted { Ok(()) } else { Err(not_found(id)) }
    }

    async fn guided(&self, id: &str, found: Option<Experiment>) -> Result<GuidedExperiment, UseCaseError> {
        Ok(GuidedExperiment {
            experiment: found.ok_or_else(|| not_found(id))?,
            has_interview_guide: self.lab.interview_guides.exists(id).await?,
        })
    }
}

fn not_found(id: &str) -> UseCaseError {
    UseCaseError::not_found("Experiment", id)
}

/// The scorecard's document, its numbers checked.
fn document(scorecard: &ScorecardData) -> Result<cutover_domain::json::Json, UseCaseError> {
    scorecard
        .check()
        .map_err(|error| UseCaseError::invalid("scorecard_data", error.to_string()))?;
    scorecard
        .to_json()
        .map_err(|error| UseCaseError::invalid("scorecard_data", error.to_string()))
}

#[cfg(test)]
mod tests {
    use cutover_domain::json::Json;
    use cutover_domain::time::Timestamp;
    use cutover_ports::StoreResult;
    use cutover_ports::clock::{MockClock, MockIds};
    use cutover_ports::lab::{
        MockAnalysisRunRepository, MockExperimentRepository, MockInterviewGuideRepository,
        MockResearchExecutionRepository,
    };

    use super::*;
    use crate::usecase::lab::tests::mocks;

    fn use_case(prepare: impl FnOnce(&mut LabRepositories)) -> Experiments {
        let mut lab = mocks();
        prepare(&mut lab);
        let mut clock = MockClock::new();
        clock.expect_now().return_const(Timestamp::EPOCH);
        let mut ids = MockIds::new();
        ids.expect_hex().returning(|count| "a".repeat(count));
        Experiments::new(Arc::new(lab), Arc::new(clock), Arc::new(ids))
    }

    fn experiment(id: &str) -> Experiment {
        Experiment {
            id: id.to_owned(),
            name: "n".to_owned(),
            hypothesis: "h".to_owned(),
            description: None,
            scorecard_data: None,
            status: ExperimentStatus::Active.into(),
            created_at: Timestamp::EPOCH.into(),
            updated_at: None,
        }
    }

    fn summary(id: &str) -> ExperimentSummary {
        ExperimentSummary {
            id: id.to_owned(),
            name: "n".to_owned(),
            hypothesis: "h".to_owned(),
            description: None,
            has_scorecard: false,
            created_at: Timestamp::EPOCH.into(),
            updated_at: None,
        }
    }

    fn run_of(experiment_id: &str) -> AnalysisRun {
        AnalysisRun {
            id: "ana_00000001".to_owned(),
            experiment_id: experiment_id.to_owned(),
            scenario_id: "baseline".to_owned(),
            config: Json::from_trusted("{}"),
            status: cutover_domain::lab::analysis_run::AnalysisStatus::Failed.into(),
            started_at: Timestamp::EPOCH.into(),
            completed_at: None,
            total_synths: None,
            aggregated_outcomes: None,
            execution_time_seconds: None,
        }
    }

    fn listing(page: StoreResult<Page<ExperimentSummary>>) -> MockExperimentRepository {
        let mut experiments = MockExperimentRepository::new();
        experiments.expect_list().times(1).return_once(|_| page);
        experiments
    }

    #[tokio::test]
    async fn a_rule_is_checked_before_anything_is_written() {
        let experiments = use_case(|_| {});
        let blank = NewExperiment {
            name: " ".to_owned(),
            hypothesis: "h".to_owned(),
            ..NewExperiment::default()
        };
        assert!(matches!(
            experiments.create(blank).await,
            Err(UseCaseError::Invalid { field: "name", .. })
        ));
        let change = ExperimentChange {
            hypothesis: Some(String::new()),
            ..ExperimentChange::default()
        };
        let error = experiments.update("exp_1", &change).await.unwrap_err();
        assert!(matches!(
            error,
            UseCaseError::Invalid {
                field: "hypothesis",
                ..
            }
        ));
    }

    #[tokio::test]
    async fn a_page_asks_each_repository_once() {
        let listed = use_case(|lab| {
            let items = vec![summary("exp_a"), summary("exp_b")];
            lab.experiments = Arc::new(listing(Ok(Page { items, total: 7 })));
            let mut runs = MockAnalysisRunRepository::new();
            runs.expect_runs_by_experiments().times(1).returning(|ids| {
                assert_eq!(ids, ["exp_a", "exp_b"]);
                Ok(HashMap::from([("exp_b".to_owned(), run_of("exp_b"))]))
            });
            lab.analysis_runs = Arc::new(runs);
            let mut guides = MockInterviewGuideRepository::new();
            guides
                .expect_exists_for()
                .times(1)
                .returning(|_| Ok(HashSet::from(["exp_a".to_owned()])));
            lab.interview_guides = Arc::new(guides);
            let mut research = MockResearchExecutionRepository::new();
            research
                .expect_counts_by_experiment()
                .times(1)
                .returning(|_| Ok(HashMap::from([("exp_a".to_owned(), 3)])));
            lab.research_executions = Arc::new(research);
        })
        .list(PageRequest::first(2))
        .await
        .unwrap();
        assert_eq!(listed.total, 7);
        let flags: Vec<_> = listed
            .items
            .iter()
            .map(|item| (item.has_analysis, item.has_interview_guide, item.interview_count))
            .collect();
        assert_eq!(flags, [(false, true, 3), (true, false, 0)]);
    }

    #[tokio::test]
    async fn an_empty_page_asks_nobody_else() {
        let empty = Page {
            items: Vec::new(),
            total: 0,
        };
        let listed = use_case(|lab| lab.experiments = Arc::new(listing(Ok(empty))))
            .list(PageRequest::first(1))
            .await;
        assert!(listed.unwrap().items.is_empty());
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_told_as_such() {
        let away = || Err(StoreError::Unavailable("gone".into()));
        let error = use_case(|lab| lab.experiments = Arc::new(listing(away())))
            .list(PageRequest::first(1))
            .await;
        assert!(matches!(
            error,
            Err(UseCaseError::Store(StoreError::Unavailable(_)))
        ));
    }

    /// No guide, no analysis, no interviews: each is asked for once.
    fn nothing_belongs_to_it(lab: &mut LabRepositories) {
        let mut guides = MockInterviewGuideRepository::new();
        guides.expect_exists().times(1).returning(|_| Ok(false));
        lab.interview_guides = Arc::new(guides);
        let mut runs = MockAnalysisRunRepository::new();
        runs.expect_find_by_experiment().times(1).returning(|_| Ok(None));
        lab.analysis_runs = Arc::new(runs);
        let mut research = MockResearchExecutionRepository::new();
        research
            .expect_newest_by_experiment()
            .times(1)
            .returning(|_, _| Ok(Vec::new()));
        lab.research_executions = Arc::new(research);
    }

    #[tokio::test]
    async fn a_missing_experiment_is_not_found() {
        let experiments = use_case(|lab| {
            let mut store = MockExperimentRepository::new();
            store.expect_get().times(1).returning(|_| Ok(None));
            store.expect_delete().times(1).returning(|_, _| Ok(false));
            lab.experiments = Arc::new(store);
            nothing_belongs_to_it(lab);
        });
        let detail = experiments.detail("exp_x").await.unwrap_err();
        assert!(matches!(detail, UseCaseError::NotFound(text) if text == "Experiment exp_x not found"));
        assert!(matches!(
            experiments.delete("exp_x").await,
            Err(UseCaseError::NotFound { .. })
        ));
    }

    #[tokio::test]
    async fn an_experiment_without_interviews_asks_for_none_of_their_parts() {
        let detail = use_case(|lab| {
            let mut store = MockExperimentRepository::new();
            store
                .expect_get()
                .times(1)
                .returning(|id| Ok(Some(experiment(id))));
            lab.experiments = Arc::new(store);
            nothing_belongs_to_it(lab);
        })
        .detail("exp_a")
        .await
        .unwrap();
        assert_eq!(
            (
                detail.guided.experiment.id.as_str(),
                detail.analysis,
                detail.interviews.len()
            ),
            ("exp_a", None, 0)
        );
    }
}
