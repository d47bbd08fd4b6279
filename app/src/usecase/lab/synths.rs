//! Synths as clients see them.

use std::sync::Arc;

use cutover_domain::lab::synth::{Synth, SynthListing, SynthSummary};
use cutover_domain::lab::synth_filter::SynthSearch;
use cutover_ports::lab::{LabRepositories, SynthRepository};
use cutover_ports::{Page, PageRequest};

use crate::usecase::UseCaseError;

/// What can be done with synths.
#[derive(Clone)]
pub struct Synths {
    synths: Arc<dyn SynthRepository>,
}

impl std::fmt::Debug for Synths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Synths").finish_non_exhaustive()
    }
}

impl Synths {
    /// On these repositories.
    pub fn new(lab: &LabRepositories) -> Self {
        Self {
            synths: Arc::clone(&lab.synths),
        }
    }

    /// A page of synths. An empty group means no filter.
    pub async fn list(
        &self,
        mut listing: SynthListing,
        page: PageRequest,
    ) -> Result<Page<SynthSummary>, UseCaseError> {
        listing.synth_group_id = listing.synth_group_id.filter(|id| !id.is_empty());
        Ok(self.synths.list(&listing, page).await?)
    }

    /// A page of the synths that a search finds.
    pub async fn search(
        &self,
        search: &SynthSearch,
        page: PageRequest,
    ) -> Result<Page<SynthSummary>, UseCaseError> {
        Ok(self.synths.search(search, page).await?)
    }

    /// The synth.
    pub async fn get(&self, id: &str) -> Result<Synth, UseCaseError> {
        self.synths
            .get(id)
            .await?
            .ok_or_else(|| UseCaseError::not_found("Synth", id))
    }
}

#[cfg(test)]
mod tests {
    use cutover_ports::StoreError;
    use cutover_ports::lab::MockSynthRepository;

    use super::*;

    #[tokio::test]
    async fn an_empty_group_means_no_filter() {
        let mut store = MockSynthRepository::new();
        store.expect_list().times(1).returning(|listing, _| {
            assert_eq!(listing.synth_group_id, None);
            Ok(Page {
                items: Vec::new(),
                total: 0,
            })
        });
        let listing = SynthListing {
            synth_group_id: Some(String::new()),
            ..SynthListing::default()
        };
        Synths {
            synths: Arc::new(store),
        }
        .list(listing, PageRequest::first(1))
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_missing_synth_is_not_found_and_a_failing_store_is_not() {
        let mut store = MockSynthRepository::new();
        store.expect_get().times(1).returning(|_| Ok(None));
        store
            .expect_get()
            .times(1)
            .returning(|_| Err(StoreError::Unavailable("gone".into())));
        let synths = Synths {
            synths: Arc::new(store),
        };
        assert!(matches!(
            synths.get("abc123").await,
            Err(UseCaseError::NotFound(text)) if text.starts_with("Synth ")
        ));
        assert!(matches!(
            synths.get("abc123").await,
            Err(UseCaseError::Store(StoreError::Unavailable(_)))
        ));
    }
}
