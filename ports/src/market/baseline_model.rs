//! Models that predictions are compared with.

use async_trait::async_trait;
use cutover_domain::market::baseline_model::{BaselineModel, BaselineModelFields};
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// Models that predictions are compared with (`baseline_models`), by name.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BaselineModelRepository: Send + Sync {
    /// Stores a model under a name, new or in place of what the name had. What was there already is no change.
    async fn save(
        &self,
        name: &str,
        fields: &BaselineModelFields,
        now: Timestamp,
    ) -> StoreResult<BaselineModel>;

    /// The model of that name, or `None`.
    async fn get(&self, name: &str) -> StoreResult<Option<BaselineModel>>;

    /// All models, by name.
    async fn list(&self) -> StoreResult<Vec<BaselineModel>>;
}
