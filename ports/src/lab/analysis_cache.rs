//! What analysis runs have computed and keep.

use async_trait::async_trait;
use cutover_domain::lab::analysis_cache::CacheEntry;

use crate::StoreResult;

/// Kept results of analysis runs (`analysis_cache`), identified by run and key.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AnalysisCacheRepository: Send + Sync {
    /// Stores entries, all or none, each in place of the one that its run and key have. Of several for the same run
    /// and key the last one stays. A run that does not exist is `Missing("analysis_runs")`.
    async fn save(&self, entries: &[CacheEntry]) -> StoreResult<()>;

    /// The entry, or `None`.
    async fn get(&self, analysis_id: &str, cache_key: &str) -> StoreResult<Option<CacheEntry>>;

    /// The run's entries whose key begins with `prefix` (all, if it is empty), by key. Every character of the prefix
    /// stands for itself, and case matters.
    async fn list(&self, analysis_id: &str, prefix: &str) -> StoreResult<Vec<CacheEntry>>;

    /// Deletes the entry; `false` if there is none.
    async fn delete(&self, analysis_id: &str, cache_key: &str) -> StoreResult<bool>;

    /// Deletes the run's entries; how many there were.
    async fn delete_all(&self, analysis_id: &str) -> StoreResult<u64>;
}
