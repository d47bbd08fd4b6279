//! Errors as HTTP answers, in the two envelopes of the original services.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cutover_ports::StoreError;
use serde_json::{Value, json};

use crate::usecase::UseCaseError;

/// An answer that is not a success.
#[derive(Debug)]
pub(super) enum HttpError {
    /// The request does not fit its schema: 422, `{"detail": [{type, loc, msg, input, ctx}]}`.
    Invalid(Vec<Value>),
    /// `{"detail": "…"}`.
    Detail(StatusCode, String),
    /// `{"error": {"code", "message"}}`, the envelope of the domain's own errors.
    Domain(StatusCode, &'static str, String),
    /// A store failed.
    Store(StoreError),
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<UseCaseError> for HttpError {
    fn from(error: UseCaseError) -> Self {
        match error {
            UseCaseError::Invalid { message, .. } => Self::Detail(StatusCode::UNPROCESSABLE_ENTITY, message),
            UseCaseError::NotFound { .. } => Self::Detail(StatusCode::NOT_FOUND, error.to_string()),
            UseCaseError::Store(error) => Self::Store(error),
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(errors) => answer(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": errors })),
            Self::Detail(status, text) => answer(status, json!({ "detail": text })),
            Self::Domain(status, code, message) => domain(status, code, &message),
            Self::Store(error) => store(&error),
        }
    }
}

/// What a store's failure is to a client: who can do something about it decides the status.
fn store(error: &StoreError) -> Response {
    match error {
        StoreError::Conflict(key) => answer(
            StatusCode::CONFLICT,
            json!({ "detail": format!("{key} is in conflict with a row that is already there") }),
        ),
        StoreError::Missing(table) => answer(
            StatusCode::NOT_FOUND,
            json!({ "detail": format!("no such row in {table}") }),
        ),
        StoreError::Invalid { what, reason } => answer(
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({ "detail": format!("{what}: {reason}") }),
        ),
        StoreError::Unavailable(_) | StoreError::Indeterminate(_) | StoreError::Moved(_) => {
            tracing::warn!(category = error.category(), %error, "the store did not answer");
            domain(
                StatusCode::SERVICE_UNAVAILABLE,
                "DATABASE_ERROR",
                "The database is not available, try again",
            )
        }
        StoreError::Corrupt { .. } | StoreError::Backend(_) => {
            tracing::error!(category = error.category(), %error, "request failed");
            domain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL_ERROR",
                "An unexpected error occurred",
            )
        }
    }
}

/// There is no such path.
pub(super) async fn unknown_path() -> HttpError {
    HttpError::Detail(StatusCode::NOT_FOUND, "Not Found".to_owned())
}

/// There is such a path, for other methods.
pub(super) async fn unknown_method() -> HttpError {
    HttpError::Detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned())
}

fn domain(status: StatusCode, code: &str, message: &str) -> Response {
    answer(status, json!({ "error": { "code": code, "message": message } }))
}

fn answer(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}
