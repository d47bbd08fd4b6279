//! Rounds of interviews, what was said in them, and the PR/FAQs that old files keep beside them.

use std::collections::HashMap;
use std::sync::Arc;

use cutover_domain::lab::experiment_document::DocumentType;
use cutover_domain::lab::prfaq::{Prfaq, PrfaqOrder, PrfaqSummary};
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ResearchExecution, Transcript, TranscriptSummary,
};
use cutover_ports::lab::LabRepositories;
use cutover_ports::{Page, PageRequest, together};
use futures_util::future::try_join;

use crate::usecase::UseCaseError;

/// How many transcripts a replay tells.
const REPLAYED_MAX: u32 = 50;

/// What can be done with rounds of interviews.
#[derive(Clone)]
pub struct Research {
    lab: Arc<LabRepositories>,
}

impl std::fmt::Debug for Research {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Research").finish_non_exhaustive()
    }
}

/// A round and what was written about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionDetail {
    /// The round.
    pub execution: ResearchExecution,
    /// Whether there is a summary.
    pub summary_available: bool,
    /// Whether there is a PR/FAQ.
    pub prfaq_available: bool,
}

/// A PR/FAQ and the topic of its round, which may be gone.
#[derive(Debug, Clone, PartialEq)]
pub struct OnTopic<T> {
    /// The PR/FAQ.
    pub prfaq: T,
    /// The topic.
    pub topic_name: Option<String>,
}

impl Research {
    /// On these repositories.
    pub fn new(lab: Arc<LabRepositories>) -> Self {
        Self { lab }
    }

    /// A page of rounds.
    pub async fn list(
        &self,
        order: ExecutionOrder,
        page: PageRequest,
    ) -> Result<Page<ResearchExecution>, UseCaseError> {
        Ok(self.lab.research_executions.list(order, page).await?)
    }

    /// The round.
    pub async fn get(&self, exec_id: &str) -> Result<ResearchExecution, UseCaseError> {
        let execution = self.lab.research_executions.get(exec_id).await?;
        execution.ok_or_else(|| UseCaseError::not_found("Execution", exec_id))
    }

    /// The round and what was written about it. Only the experiment's documents count, as in the original; what older files have
    /// beside the round counts where the experiment is shown.
    pub async fn detail(&self, exec_id: &str) -> Result<ExecutionDetail, UseCaseError> {
        let execution = self.get(exec_id).await?;
        let experiments = Vec::from_iter(execution.experiment_id.clone());
        let documents = self
            .lab
            .experiment_documents
            .completed_by_experiment(&experiments)
            .await?;
        let document = |kind| documents.values().any(|kinds| kinds.contains(&kind));
        Ok(ExecutionDetail {
            summary_available: document(DocumentType::Summary),
            prfaq_available: document(DocumentType::Prfaq),
            execution,
        })
    }

    /// The newest round that was started for the experiment by itself.
    pub async fn latest_automatic(
        &self,
        experiment_id: &str,
    ) -> Result<Option<ResearchExecution>, UseCaseError> {
        Ok(self
            .lab
            .research_executions
            .latest_automatic(experiment_id)
            .await?)
    }

    /// The transcripts of a round without what was said, oldest first.
    pub async fn transcripts(
        &self,
        exec_id: &str,
        page: PageRequest,
    ) -> Result<Page<TranscriptSummary>, UseCaseError> {
        self.get(exec_id).await?;
        Ok(self
            .lab
            .research_executions
            .list_transcripts(exec_id, page)
            .await?)
    }

    /// What was said to one synth.
    pub async fn transcript(&self, exec_id: &str, synth_id: &str) -> Result<Transcript, UseCaseError> {
        let transcript = self
            .lab
            .research_executions
            .get_transcript(exec_id, synth_id)
            .await?;
        transcript.ok_or_else(|| UseCaseError::not_found("Transcript", &format!("{exec_id}/{synth_id}")))
    }

    /// The round and its first transcripts whole.
    pub async fn replay(&self, exec_id: &str) -> Result<(ResearchExecution, Vec<Transcript>), UseCaseError> {
        let execution = self.get(exec_id).await?;
        let page = PageRequest::first(REPLAYED_MAX);
        let transcripts = self
            .lab
            .research_executions
            .read_transcripts(exec_id, page)
            .await?;
        Ok((execution, transcripts.items))
    }

    /// A page of PR/FAQs.
    pub async fn list_prfaqs(
        &self,
        order: PrfaqOrder,
        page: PageRequest,
    ) -> Result<Page<OnTopic<PrfaqSummary>>, UseCaseError> {
        let prfaqs = self.lab.prfaqs.list(order, page).await?;
        let ids: Vec<String> = prfaqs.items.iter().map(|prfaq| prfaq.exec_id.clone()).collect();
        let mut topics = if ids.is_empty() {
            HashMap::new()
        } else {
            self.lab.research_executions.topics(&ids).await?
        };
        Ok(prfaqs.map(|prfaq| OnTopic {
            topic_name: topics.remove(&prfaq.exec_id),
            prfaq,
        }))
    }

    /// The round's PR/FAQ.
    pub async fn prfaq(&self, exec_id: &str) -> Result<OnTopic<Prfaq>, UseCaseError> {
        let (prfaq, execution) = together(try_join(
            self.lab.prfaqs.get(exec_id),
            self.lab.research_executions.get(exec_id),
        ))
        .await?;
        Ok(OnTopic {
            prfaq: prfaq.ok_or_else(|| UseCaseError::not_found("PR/FAQ", exec_id))?,
            topic_name: execution.map(|execution| execution.topic_name),
        })
    }
}
