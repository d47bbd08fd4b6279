//! Synths.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::synth::{Synth, SynthListing, SynthSummary};
use cutover_domain::lab::synth_filter::SynthSearch;

use crate::{Page, PageRequest, StoreResult};

/// Synthetic people (`synths`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SynthRepository: Send + Sync {
    /// Stores a synth, in place of the one that has its id if there is one; that one's `created_at` stays. A group
    /// that does not exist is `Missing("synth_groups")`.
    async fn save(&self, synth: &Synth) -> StoreResult<()>;

    /// The synth, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<Synth>>;

    /// The synths with these ids, by id; ids without a synth are passed over.
    async fn get_many(&self, ids: &[String]) -> StoreResult<Vec<Synth>>;

    /// The listing's synths in its order, then by id.
    async fn list(&self, listing: &SynthListing, page: PageRequest) -> StoreResult<Page<SynthSummary>>;

    /// The synths that a search finds in its order, then the newest first, then by id. Its columns do not matter here.
    async fn search(&self, search: &SynthSearch, page: PageRequest) -> StoreResult<Page<SynthSummary>>;

    /// All synths of a group, newest first, then by id.
    async fn list_by_group(&self, synth_group_id: &str) -> StoreResult<Vec<SynthSummary>>;

    /// How many synths each of these groups has; groups without synths are absent.
    async fn counts_by_group(&self, synth_group_ids: &[String]) -> StoreResult<HashMap<String, u64>>;

    /// The names of the synths with these ids; ids without a synth are absent.
    async fn names_by_id(&self, ids: &[String]) -> StoreResult<HashMap<String, String>>;

    /// How many synths there are.
    async fn count(&self) -> StoreResult<u64>;

    /// Sets where the avatar's file lies; `false` if there is no such synth.
    async fn update_avatar_path(&self, id: &str, avatar_path: &str) -> StoreResult<bool>;
}
