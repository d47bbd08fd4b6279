//! PR/FAQs from before experiments had documents.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::lab::prfaq::{Prfaq, PrfaqOrder, PrfaqProgress, PrfaqSummary};
use cutover_domain::time::Timestamp;

use crate::{Page, PageRequest, StoreResult};

/// PR/FAQs (`prfaq_metadata`), at most one for each execution. Where the table does not exist there are none, and the
/// first one that is stored makes it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PrfaqRepository: Send + Sync {
    /// Stores a PR/FAQ in place of the execution's one, whole.
    async fn save(&self, prfaq: &Prfaq) -> StoreResult<()>;

    /// Notes that the execution's PR/FAQ is being generated since `started_at`, unless it is already: then `false`. One
    /// that is there in another state keeps its contents and loses its error; a new one has none yet, no questions, and
    /// counts as valid. Of several callers at once exactly one gets `true`.
    async fn create_pending(&self, exec_id: &str, model: &str, started_at: Timestamp) -> StoreResult<bool>;

    /// The execution's PR/FAQ, or `None`.
    async fn get(&self, exec_id: &str) -> StoreResult<Option<Prfaq>>;

    /// All PR/FAQs without their texts in the order wanted, then by key. What is missing is least.
    async fn list(&self, order: PrfaqOrder, page: PageRequest) -> StoreResult<Page<PrfaqSummary>>;

    /// Sets the status and what else `progress` holds; `false` if there is no such PR/FAQ.
    async fn update(&self, exec_id: &str, progress: &PrfaqProgress) -> StoreResult<bool>;

    /// Those of these executions that have a completed PR/FAQ.
    async fn completed_among(&self, exec_ids: &[String]) -> StoreResult<HashSet<String>>;
}
