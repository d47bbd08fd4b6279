//! The writer's interface, as its clients know it.

mod conversations;
mod disposition;
mod files;
mod integrity;
mod model;
mod multipart;
mod stored;
mod uploads;
mod urlencoded;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::OriginalUri;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get};
use cutover_ports::StoreError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::uploads::Uploads;
use super::App;
use super::error::{HttpError, not_now, unknown_method};
use super::paths::Paths;
use crate::http::json::Json;
use crate::usecase::UseCaseError;

const TAG: &str = "Writer";
/// The routes that read a form piece by piece and keep none of it in memory.
pub(super) const STREAMED: [&str; 2] = ["/writer/api/files/upload", "/writer/api/transcribe"];
/// What a form may hold besides the largest file: boundaries, headers and other parts.
const FRAME_BYTES: usize = 1_048_576;
/// The most files that a form may hold, and the most texts.
const FIELDS_MAX: usize = 1_000;
/// The most bytes that a text of a form may have.
const TEXT_MAX: usize = 1_048_576;

/// The most bytes of a form with a file of at most `file` bytes.
pub(super) fn upload_max(file: usize) -> usize {
    file.saturating_add(FRAME_BYTES)
}

/// Now and then removes from the folder of the uploads what processes that were killed have left there unfinished. An upload that goes on
/// writes something in each `request_timeout`, and is answered in one more.
pub async fn keep_tidy(uploads: Arc<Path>, request_timeout: Duration) {
    let age = request_timeout * 3;
    loop {
        if let Err(error) = Uploads(&uploads).remove_abandoned(age).await {
            tracing::warn!(%error, "the folder of the uploads cannot be looked through");
        }
        tokio::time::sleep(age).await;
    }
}

/// Every route beneath `/writer`.
pub(super) fn router() -> OpenApiRouter<App> {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(about))
        .routes(routes!(health))
        .routes(routes!(integrity::integrity))
        .merge(conversations::router())
        .merge(files::router())
        .merge(model::router())
        .split_for_parts();
    let paths = Paths::new("writer", document.paths.paths.keys());
    let routes = routes
        // Described with everything else.
        .route("/docs", get(async || Redirect::temporary("/docs")))
        .route("/redoc", get(async || Redirect::temporary("/docs")))
        .route(
            "/openapi.json",
            get(async || Redirect::temporary("/openapi.json")),
        )
        .fallback(move |uri: OriginalUri| paths.lead_on(uri))
        .method_not_allowed_fallback(unknown_method);
    let mut router = OpenApiRouter::from(routes);
    *router.get_openapi_mut() = document;
    router
}

/// What answers at `/writer/`: the same as at `/writer`.
pub(super) fn root() -> MethodRouter<App> {
    get(about)
}

/// That the interface answers.
#[derive(Serialize, ToSchema)]
struct WriterHealth {
    /// Always `healthy`.
    status: &'static str,
}

/// Whether the interface answers.
#[utoipa::path(get, path = "/health", tag = TAG, responses((status = 200, body = WriterHealth)))]
async fn health() -> Json<WriterHealth> {
    Json(WriterHealth { status: "healthy" })
}

/// What this interface is.
#[derive(Serialize, ToSchema)]
struct WriterAbout {
    /// Its name.
    message: &'static str,
}

/// What this interface is.
#[utoipa::path(get, path = "/", tag = TAG, responses((status = 200, body = WriterAbout)))]
async fn about() -> Json<WriterAbout> {
    Json(WriterAbout {
        message: "Silmari Writer API",
    })
}

/// Refusals and failures in the original's one envelope.
pub(super) fn refuse(error: UseCaseError) -> HttpError {
    match error {
        UseCaseError::Invalid { field: "id", message } => {
            HttpError::Detail(StatusCode::UNPROCESSABLE_ENTITY, message)
        }
        UseCaseError::Invalid { message, .. } => HttpError::Detail(StatusCode::BAD_REQUEST, message),
        UseCaseError::NotFound { .. } => {
            HttpError::Detail(StatusCode::NOT_FOUND, "Resource not found".to_owned())
        }
        UseCaseError::Store(error) => match error {
            StoreError::Unavailable(_)
            | StoreError::Unwritable(_)
            | StoreError::Outdated(_)
            | StoreError::Indeterminate(_)
            | StoreError::Moved(_) => {
                tracing::warn!(category = error.category(), %error, "the store did not answer");
                HttpError::Detail(StatusCode::SERVICE_UNAVAILABLE, not_now(&error))
            }
            StoreError::Corrupt { .. } | StoreError::Backend(_) => {
                tracing::error!(category = error.category(), %error, "request failed");
                internal()
            }
            StoreError::Conflict(_) | StoreError::Missing(_) | StoreError::Invalid { .. } => {
                HttpError::Store(error)
            }
        },
    }
}

/// A form that cannot be read, in the original's words.
fn wrong(text: &str) -> HttpError {
    HttpError::Detail(StatusCode::BAD_REQUEST, text.to_owned())
}

pub(super) fn internal() -> HttpError {
    HttpError::Detail(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal Server Error".to_owned(),
    )
}
