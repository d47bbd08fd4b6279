//! Errors as HTTP answers, in the two envelopes of the original services.

use std::any::Any;

use super::json::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cutover_ports::StoreError;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::usecase::UseCaseError;

/// What went wrong, in one of the two envelopes of the original services.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Failure {
    /// What the framework of the original says.
    Refused(Refused),
    /// What its own code says.
    Failed(Failed),
}

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// Why.
    detail: Detail,
}

/// Why a request is refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Detail {
    /// In words.
    Text(String),
    /// What of it does not fit its schema.
    Mistakes(Vec<Mistake>),
}

/// One place where a request does not fit its schema.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Mistake {
    /// The kind of mistake, a word for machines.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Where it is: `body`, `query` or `path`, then names of members and numbers of items.
    pub(super) loc: Vec<Value>,
    /// What is wrong, in words.
    pub(super) msg: String,
    /// What stands there.
    pub(super) input: Value,
    /// The rule that is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ctx: Option<Value>,
}

/// A failure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failed {
    /// What failed.
    error: FailureReason,
}

/// A failure's kind and words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailureReason {
    /// The kind, a word for machines.
    code: String,
    /// What failed, in words.
    message: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// An answer that is not a success.
#[derive(Debug)]
pub(super) enum HttpError {
    /// The request does not fit its schema: 422, `{"detail": [{type, loc, msg, input, ctx}]}`.
    Invalid(Vec<Mistake>),
    /// `{"detail": "…"}`.
    Detail(StatusCode, String),
    /// `{"error": {"code", "message"}}`, the envelope of the domain's own errors.
    Domain(StatusCode, &'static str, String),
    /// `{"error": {"code", "message", "details"}}`, the same with what it is about.
    Detailed(StatusCode, &'static str, String, Value),
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
            UseCaseError::NotFound(message) => Self::Detail(StatusCode::NOT_FOUND, message),
            UseCaseError::Store(error) => Self::Store(error),
        }
    }
}

impl HttpError {
    /// What the original does and this service does not.
    pub(super) fn not_implemented(reason: &str) -> Self {
        Self::Domain(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", reason.to_owned())
    }

    /// A body that cannot be read as what it is to be, in the originals' words.
    pub(super) fn unreadable() -> Self {
        let text = "There was an error parsing the body";
        Self::Detail(StatusCode::BAD_REQUEST, text.to_owned())
    }

    /// What does not exist has a code, words and details of its own in the domain's envelope; other errors are as ever.
    pub(super) fn coded(error: UseCaseError, code: &'static str, message: String, details: Value) -> Self {
        match error {
            UseCaseError::NotFound(_) => Self::Detailed(StatusCode::NOT_FOUND, code, message, details),
            other => other.into(),
        }
    }

    /// A search that is not understood.
    pub(super) fn invalid_query(reason: &str, query: &str) -> Self {
        // What is too long to be a search is too long to be repeated.
        let query: String = query.chars().take(1000).collect();
        Self::Detailed(
            StatusCode::UNPROCESSABLE_ENTITY,
            "INVALID_QUERY",
            format!("Invalid query: {reason}"),
            json!({ "reason": reason, "query": query }),
        )
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(errors) => refused(StatusCode::UNPROCESSABLE_ENTITY, Detail::Mistakes(errors)),
            Self::Detail(status, text) => refused(status, Detail::Text(text)),
            Self::Domain(status, code, message) => domain(status, code, &message, None),
            Self::Detailed(status, code, message, details) => domain(status, code, &message, Some(details)),
            Self::Store(error) => store(&error),
        }
    }
}

/// What a store's failure is to a client: who can do something about it decides the status.
fn store(error: &StoreError) -> Response {
    match error {
        StoreError::Conflict(key) => refused(
            StatusCode::CONFLICT,
            Detail::Text(format!("{key} is in conflict with a row that is already there")),
        ),
        StoreError::Missing(table) => refused(
            StatusCode::NOT_FOUND,
            Detail::Text(format!("no such row in {table}")),
        ),
        StoreError::Invalid { what, reason } => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            Detail::Text(format!("{what}: {reason}")),
        ),
        StoreError::Unavailable(_) | StoreError::Indeterminate(_) | StoreError::Moved(_) => {
            tracing::warn!(category = error.category(), %error, "the store did not answer");
            domain(
                StatusCode::SERVICE_UNAVAILABLE,
                "DATABASE_ERROR",
                "The database is not available, try again",
                None,
            )
        }
        StoreError::Corrupt { .. } | StoreError::Backend(_) => {
            tracing::error!(category = error.category(), %error, "request failed");
            internal()
        }
    }
}

/// A handler panicked, which is a mistake of this program's; the others' requests go on.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer that catches it hands it over"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("of another type"), "request failed");
    internal()
}

/// What is told of a mistake of this program's, which is nothing.
fn internal() -> Response {
    domain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL_ERROR",
        "An unexpected error occurred",
        None,
    )
}

/// There is no such path.
pub(super) async fn unknown_path() -> HttpError {
    HttpError::Detail(StatusCode::NOT_FOUND, "Not Found".to_owned())
}

/// There is such a path, for other methods.
pub(super) async fn unknown_method() -> HttpError {
    HttpError::Detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned())
}

fn refused(status: StatusCode, detail: Detail) -> Response {
    (status, Json(Failure::Refused(Refused { detail }))).into_response()
}

fn domain(status: StatusCode, code: &str, message: &str, details: Option<Value>) -> Response {
    let error = FailureReason {
        code: code.to_owned(),
        message: message.to_owned(),
        details,
    };
    (status, Json(Failure::Failed(Failed { error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_in_the_envelope_of_failures_and_not_what_it_said() {
        let response = panicked(Box::new("a secret"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"error": {"code": "INTERNAL_ERROR", "message": "An unexpected error occurred"}})
        );
    }
}
