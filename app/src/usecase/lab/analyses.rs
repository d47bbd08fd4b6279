//! An experiment's analysis, its outcomes, and what was written about it. All of it outlives the experiment's deletion.

use std::sync::Arc;

use cutover_domain::lab::analysis_cache::{CacheEntry, EXECUTIVE_SUMMARY_KEY, INSIGHT_PREFIX, insight_key};
use cutover_domain::lab::analysis_run::AnalysisRun;
use cutover_domain::lab::synth_outcome::SynthOutcome;
use cutover_ports::lab::LabRepositories;
use cutover_ports::{Page, PageRequest, together};
use futures_util::future::try_join;

use crate::usecase::UseCaseError;

/// What can be done with analyses.
#[derive(Clone)]
pub struct Analyses {
    lab: Arc<LabRepositories>,
}

impl std::fmt::Debug for Analyses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyses").finish_non_exhaustive()
    }
}

/// What was written about an analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Insights {
    /// The analysis.
    pub analysis_id: String,
    /// What was written about its charts.
    pub insights: Vec<CacheEntry>,
    /// The summary of all.
    pub executive_summary: Option<CacheEntry>,
}

impl Analyses {
    /// On these repositories.
    pub fn new(lab: Arc<LabRepositories>) -> Self {
        Self { lab }
    }

    /// The experiment's analysis.
    pub async fn get(&self, experiment_id: &str) -> Result<AnalysisRun, UseCaseError> {
        let run = self.lab.analysis_runs.find_by_experiment(experiment_id).await?;
        run.ok_or_else(|| no_analysis(experiment_id))
    }

    /// Deletes the experiment's analysis with all that belongs to it.
    pub async fn delete(&self, experiment_id: &str) -> Result<(), UseCaseError> {
        if self.lab.analysis_runs.delete_by_experiment(experiment_id).await? {
            Ok(())
        } else {
            Err(no_analysis(experiment_id))
        }
    }

    /// The outcomes of the experiment's analysis, by synth.
    pub async fn outcomes(
        &self,
        experiment_id: &str,
        page: PageRequest,
    ) -> Result<Page<SynthOutcome>, UseCaseError> {
        let run = self.get(experiment_id).await?;
        Ok(self.lab.synth_outcomes.list(&run.id, page).await?)
    }

    /// What was written about the analysis of an experiment that is not deleted.
    pub async fn insights(&self, experiment_id: &str) -> Result<Insights, UseCaseError> {
        let run = self.of_active(experiment_id).await?;
        let (insights, executive_summary) = together(try_join(
            self.lab.analysis_cache.list(&run.id, INSIGHT_PREFIX),
            self.lab.analysis_cache.get(&run.id, EXECUTIVE_SUMMARY_KEY),
        ))
        .await?;
        Ok(Insights {
            analysis_id: run.id,
            insights,
            executive_summary,
        })
    }

    /// What was written about one chart of it.
    pub async fn insight(&self, experiment_id: &str, chart_type: &str) -> Result<CacheEntry, UseCaseError> {
        let run = self.of_active(experiment_id).await?;
        let entry = self
            .lab
            .analysis_cache
            .get(&run.id, &insight_key(chart_type))
            .await?;
        entry.ok_or_else(|| {
            let message = format!(
                "Insight not found for chart type '{chart_type}'. Run analysis to generate insights."
            );
            UseCaseError::NotFound(message)
        })
    }

    /// The summary of all that was written about it.
    pub async fn executive_summary(&self, experiment_id: &str) -> Result<CacheEntry, UseCaseError> {
        let run = self.of_active(experiment_id).await?;
        let entry = self
            .lab
            .analysis_cache
            .get(&run.id, EXECUTIVE_SUMMARY_KEY)
            .await?;
        entry.ok_or_else(|| {
            let message = "Executive summary not found. Run analysis to generate summary.";
            UseCaseError::NotFound(message.to_owned())
        })
    }

    /// What the application has computed of an analysis and kept under a key.
    pub async fn kept(&self, analysis_id: &str, key: &str) -> Result<Option<CacheEntry>, UseCaseError> {
        Ok(self.lab.analysis_cache.get(analysis_id, key).await?)
    }

    /// The same under every key that begins so, by key.
    pub async fn kept_beginning(
        &self,
        analysis_id: &str,
        prefix: &str,
    ) -> Result<Vec<CacheEntry>, UseCaseError> {
        Ok(self.lab.analysis_cache.list(analysis_id, prefix).await?)
    }

    async fn of_active(&self, experiment_id: &str) -> Result<AnalysisRun, UseCaseError> {
        let experiment = self.lab.experiments.get(experiment_id).await?;
        experiment.ok_or_else(|| UseCaseError::not_found("Experiment", experiment_id))?;
        self.get(experiment_id).await
    }
}

fn no_analysis(experiment_id: &str) -> UseCaseError {
    UseCaseError::NotFound(format!("No analysis found for experiment {experiment_id}"))
}
