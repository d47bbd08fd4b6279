//! Groups of synths and how many synths they have.

use std::sync::Arc;

use cutover_domain::lab::stripped;
use cutover_domain::lab::synth::SynthSummary;
use cutover_domain::lab::synth_group::{SynthGroup, is_group_id};
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::{LabRepositories, SynthGroupRepository, SynthRepository};
use cutover_ports::{Page, PageRequest, StoreError};

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// What can be done with groups of synths.
#[derive(Clone)]
pub struct SynthGroups {
    groups: Arc<dyn SynthGroupRepository>,
    synths: Arc<dyn SynthRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for SynthGroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SynthGroups").finish_non_exhaustive()
    }
}

/// A group and the number of its synths.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedGroup {
    /// The group.
    pub group: SynthGroup,
    /// How many synths are in it.
    pub synth_count: u64,
}

/// A group to be made.
#[derive(Debug, Clone, Default)]
pub struct NewGroup {
    /// Its id; without one it gets a random one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
}

impl SynthGroups {
    /// On these repositories.
    pub fn new(lab: &LabRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            groups: Arc::clone(&lab.synth_groups),
            synths: Arc::clone(&lab.synths),
            clock,
            ids,
        }
    }

    /// Makes a group: its texts trimmed, its name not blank. A taken id is a conflict.
    pub async fn create(&self, new: NewGroup) -> Result<CountedGroup, UseCaseError> {
        let name = stripped(&new.name);
        if name.is_empty() {
            return Err(UseCaseError::invalid(
                "name",
                "name is required and cannot be empty",
            ));
        }
        if new.id.as_deref().is_some_and(|id| !is_group_id(id)) {
            return Err(UseCaseError::invalid(
                "id",
                "id must be grp_ and eight hexadecimal digits",
            ));
        }
        // As the original has it: an empty one is none, and one of blanks is empty.
        let description = new.description.filter(|text| !text.is_empty());
        let description = description.map(|text| stripped(&text).to_owned());
        let mut group = SynthGroup {
            id: String::new(),
            name: name.to_owned(),
            description,
            created_at: self.clock.now().into(),
        };
        let chosen = new.id;
        for _ in 0..ID_ATTEMPTS {
            group.id = chosen
                .clone()
                .unwrap_or_else(|| format!("grp_{}", self.ids.hex(8)));
            match self.groups.insert(&group).await {
                Ok(()) => {
                    return Ok(CountedGroup {
                        group,
                        synth_count: 0,
                    });
                }
                Err(StoreError::Conflict(_)) if chosen.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("synth_groups.id").into())
    }

    /// A page of groups, newest first, with their counts asked for at once.
    pub async fn list(&self, page: PageRequest) -> Result<Page<CountedGroup>, UseCaseError> {
        let groups = self.groups.list(page).await?;
        let ids: Vec<String> = groups.items.iter().map(|group| group.id.clone()).collect();
        let counts = self.synths.counts_by_group(&ids).await?;
        Ok(groups.map(|group| {
            let synth_count = counts.get(&group.id).copied().unwrap_or(0);
            CountedGroup { group, synth_count }
        }))
    }

    /// The group and all its synths, newest first.
    pub async fn detail(&self, id: &str) -> Result<(SynthGroup, Vec<SynthSummary>), UseCaseError> {
        let group = self
            .groups
            .get(id)
            .await?
            .ok_or_else(|| UseCaseError::not_found("Synth group", id))?;
        Ok((group, self.synths.list_by_group(id).await?))
    }

    /// Deletes the group; its synths stay, without one.
    pub async fn delete(&self, id: &str) -> Result<(), UseCaseError> {
        if self.groups.delete(id).await? {
            Ok(())
        } else {
            Err(UseCaseError::not_found("Synth group", id))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use cutover_domain::time::Timestamp;
    use cutover_ports::clock::{MockClock, MockIds};
    use cutover_ports::lab::{MockSynthGroupRepository, MockSynthRepository};

    use super::*;

    fn use_case(groups: MockSynthGroupRepository, synths: MockSynthRepository) -> SynthGroups {
        let mut clock = MockClock::new();
        clock.expect_now().return_const(Timestamp::EPOCH);
        let (mut ids, mut next) = (MockIds::new(), 0);
        ids.expect_hex().returning(move |count| {
            next += 1;
            format!("{next:0count$}")
        });
        SynthGroups {
            groups: Arc::new(groups),
            synths: Arc::new(synths),
            clock: Arc::new(clock),
            ids: Arc::new(ids),
        }
    }

    fn named(name: &str) -> NewGroup {
        NewGroup {
            name: name.to_owned(),
            ..NewGroup::default()
        }
    }

    #[tokio::test]
    async fn a_blank_name_or_a_wrong_id_reaches_no_store() {
        let groups = use_case(MockSynthGroupRepository::new(), MockSynthRepository::new());
        let blank = groups.create(named(" \t")).await.unwrap_err();
        assert!(matches!(blank, UseCaseError::Invalid { field: "name", .. }));
        let wrong = NewGroup {
            id: Some("grp_XYZ".to_owned()),
            ..named("a")
        };
        assert!(matches!(
            groups.create(wrong).await,
            Err(UseCaseError::Invalid { field: "id", .. })
        ));
    }

    #[tokio::test]
    async fn an_empty_description_is_none_and_one_of_blanks_is_empty() {
        for (given, stored) in [("", None), (" ", Some("")), (" a ", Some("a"))] {
            let mut store = MockSynthGroupRepository::new();
            store.expect_insert().times(1).returning(|_| Ok(()));
            let new = NewGroup {
                description: Some(given.to_owned()),
                ..named("n")
            };
            let made = use_case(store, MockSynthRepository::new()).create(new).await;
            assert_eq!(made.unwrap().group.description.as_deref(), stored, "{given:?}");
        }
    }

    #[tokio::test]
    async fn a_taken_random_id_is_replaced_by_another() {
        let mut store = MockSynthGroupRepository::new();
        store.expect_insert().times(2).returning(|group| {
            if group.id == "grp_00000001" {
                Err(StoreError::conflict("synth_groups.id"))
            } else {
                Ok(())
            }
        });
        let made = use_case(store, MockSynthRepository::new())
            .create(named("  a "))
            .await
            .unwrap();
        assert_eq!(
            (made.group.id.as_str(), made.group.name.as_str()),
            ("grp_00000002", "a")
        );
    }

    #[tokio::test]
    async fn a_taken_chosen_id_is_a_conflict_at_once() {
        let mut store = MockSynthGroupRepository::new();
        store
            .expect_insert()
            .times(1)
            .returning(|_| Err(StoreError::conflict("synth_groups.id")));
        let new = NewGroup {
            id: Some("grp_0000000a".to_owned()),
            ..named("a")
        };
        let error = use_case(store, MockSynthRepository::new())
            .create(new)
            .await
            .unwrap_err();
        assert!(matches!(error, UseCaseError::Store(StoreError::Conflict(key)) if key == "synth_groups.id"));
    }

    #[tokio::test]
    async fn counts_are_asked_for_once_a_page() {
        let mut store = MockSynthGroupRepository::new();
        store.expect_list().times(1).returning(|_| {
            let group = |id: &str| SynthGroup {
                id: id.to_owned(),
                ..SynthGroup::default_group(Timestamp::EPOCH)
            };
            Ok(Page {
                items: vec![group("grp_a"), group("grp_b")],
                total: 9,
            })
        });
        let mut synths = MockSynthRepository::new();
        synths.expect_counts_by_group().times(1).returning(|ids| {
            assert_eq!(ids, ["grp_a", "grp_b"]);
            Ok(HashMap::from([("grp_b".to_owned(), 3)]))
        });
        let page = use_case(store, synths).list(PageRequest::first(2)).await.unwrap();
        assert_eq!(page.total, 9);
        let counts: Vec<_> = page
            .items
            .iter()
            .map(|item| (item.group.id.as_str(), item.synth_count))
            .collect();
        assert_eq!(counts, [("grp_a", 0), ("grp_b", 3)]);
    }

    #[tokio::test]
    async fn an_unavailable_store_is_told_as_such() {
        let mut store = MockSynthGroupRepository::new();
        store
            .expect_delete()
            .returning(|_| Err(StoreError::Unavailable("gone".into())));
        let error = use_case(store, MockSynthRepository::new())
            .delete("grp_a")
            .await
            .unwrap_err();
        assert!(matches!(error, UseCaseError::Store(StoreError::Unavailable(_))));
    }
}
