//! `/lab/experiments/{id}/analysis/charts` and `…/clusters`: what the application has computed and kept. What it has not, or not with these
//! parameters, is not computed here.

use axum::extract::State;
use cutover_domain::lab::analysis_cache::{CLUSTERING_PREFIX, CacheEntry};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::analyses::{completed, use_case};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Key, Keys, Parameters};

const TAG: &str = "Lab: analyses";

/// The charts that the application keeps, by their names in paths and in the cache.
const KEPT: [(&str, &str); 4] = [
    ("try-vs-success", "try_vs_success"),
    ("distribution", "distribution"),
    ("failure-heatmap", "heatmap"),
    ("scatter", "scatter"),
];

/// Beneath `/lab/experiments`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(chart))
        .routes(routes!(clusters))
}

/// A chart of the experiment's analysis, as the application has computed it with its own parameters.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/charts/{chart}", tag = TAG,
    params(
        ("id" = String, Path),
        ("chart" = String, Path, description = "`try-vs-success`, `distribution`, `failure-heatmap` or `scatter`."),
    ),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "It was not computed, or with other parameters."),
    )
)]
async fn chart(
    State(app): State<App>,
    Keys(id, chart): Keys,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let analysis_id = completed(&app, &id, "").await?.id;
    let kept = KEPT.iter().find(|(name, _)| *name == chart);
    let found = match kept.filter(|_| parameters.is_empty()) {
        Some((_, key)) => use_case(&app).kept(&analysis_id, key).await?,
        None => None,
    };
    answer(found.as_ref())
}

/// The clusters of the experiment's synths, as the application has computed them; of several numbers of clusters the first by its key.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/clusters", tag = TAG, params(("id" = String, Path)),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "None were computed."),
    )
)]
async fn clusters(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let analysis_id = completed(&app, &id, "").await?.id;
    let found = if parameters.is_empty() {
        let kept = use_case(&app)
            .kept_beginning(&analysis_id, CLUSTERING_PREFIX)
            .await?;
        kept.into_iter().next()
    } else {
        None
    };
    answer(found.as_ref())
}

/// A stored JSON `null` is nothing.
fn answer(found: Option<&CacheEntry>) -> Result<Json<Value>, HttpError> {
    let data = found.map(|entry| entry.data.canonical());
    data.filter(|data| !data.is_null()).map(Json).ok_or_else(|| {
        HttpError::not_implemented(
            "This is computed by the application, and it has kept none of it; this service stores the results",
        )
    })
}
