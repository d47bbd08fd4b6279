//! Groups of synths.

use async_trait::async_trait;
use cutover_domain::lab::synth_group::SynthGroup;

use crate::{Page, PageRequest, StoreResult};

/// Groups of synths (`synth_groups`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SynthGroupRepository: Send + Sync {
    /// Stores `group` unless a group with its id exists; the group that is stored now.
    async fn ensure(&self, group: &SynthGroup) -> StoreResult<SynthGroup>;

    /// Stores a new group. A taken id is `Conflict("synth_groups.id")`.
    async fn insert(&self, group: &SynthGroup) -> StoreResult<()>;

    /// The group, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<SynthGroup>>;

    /// Newest first, then by id.
    async fn list(&self, page: PageRequest) -> StoreResult<Page<SynthGroup>>;

    /// Deletes the group; its synths stay, without a group. `false` if there is none.
    async fn delete(&self, id: &str) -> StoreResult<bool>;
}
