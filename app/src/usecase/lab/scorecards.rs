//! Scorecards of features, for the legacy simulation.

use std::sync::Arc;

use cutover_domain::lab::scorecard::{FeatureScorecard, ScorecardDocument};
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::{LabRepositories, ScorecardRepository};
use cutover_ports::{Page, PageRequest, StoreError};

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// What can be done with scorecards.
#[derive(Clone)]
pub struct Scorecards {
    store: Arc<dyn ScorecardRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Scorecards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorecards").finish_non_exhaustive()
    }
}

impl Scorecards {
    /// On these repositories.
    pub fn new(lab: &LabRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store: Arc::clone(&lab.scorecards),
            clock,
            ids,
        }
    }

    /// Makes a scorecard of `document`, which gets an id and the time.
    pub async fn create(&self, mut document: ScorecardDocument) -> Result<FeatureScorecard, UseCaseError> {
        let invalid = |error: &dyn std::fmt::Display| UseCaseError::invalid("scorecard", error.to_string());
        for _ in 0..ID_ATTEMPTS {
            document.id = self.ids.hex(8);
            let mistakes: Vec<String> = document.mistakes().iter().map(ToString::to_string).collect();
            if !mistakes.is_empty() {
                return Err(UseCaseError::invalid("scorecard", mistakes.join("; ")));
            }
            let scorecard =
                FeatureScorecard::new(document.clone(), self.clock.now()).map_err(|error| invalid(&error))?;
            match self.store.insert(&scorecard).await {
                Ok(()) => return Ok(scorecard),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("feature_scorecards.id").into())
    }

    /// The scorecard.
    pub async fn get(&self, id: &str) -> Result<FeatureScorecard, UseCaseError> {
        let scorecard = self.store.get(id).await?;
        scorecard.ok_or_else(|| UseCaseError::not_found("Scorecard", id))
    }

    /// A page of scorecards, newest first.
    pub async fn list(&self, page: PageRequest) -> Result<Page<FeatureScorecard>, UseCaseError> {
        Ok(self.store.list(page).await?)
    }
}
