//! Errors as HTTP answers, in the two envelopes of the original services.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use super::json::Json;
use super::market::MarketHttpError;
use super::request::{as_asked, value_as_asked};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cutover_ports::StoreError;
use futures_util::FutureExt as _;
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
    /// In words, with a word for machines.
    Coded(CodedDetail),
}

/// Why a request is refused, in words and for machines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CodedDetail {
    /// The kind, a word for machines.
    code: &'static str,
    /// In words.
    message: String,
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
    /// `{"detail": {"code", "message"}}`.
    CodedDetail(StatusCode, &'static str, String),
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
            Self::CodedDetail(status, code, message) => {
                refused(status, Detail::Coded(CodedDetail { code, message }))
            }
            Self::Domain(status, code, message) => domain(status, code, &message, None),
            Self::Detailed(status, code, message, details) => domain(status, code, &message, Some(&details)),
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
        StoreError::Unavailable(_)
        | StoreError::Unwritable(_)
        | StoreError::Outdated(_)
        | StoreError::Indeterminate(_)
        | StoreError::Moved(_) => {
            tracing::warn!(category = error.category(), %error, "the store did not answer");
            domain(
                StatusCode::SERVICE_UNAVAILABLE,
                "DATABASE_ERROR",
                &not_now(error),
                None,
            )
        }
        StoreError::Corrupt { .. } | StoreError::Backend(_) => {
            tracing::error!(category = error.category(), %error, "request failed");
            internal()
        }
    }
}

/// What is told of a store that did not do its work for now: whether to try again, or what would help.
pub(super) fn not_now(error: &StoreError) -> String {
    match error {
        StoreError::Indeterminate(_) => {
            "The database did not say whether this was done: look before trying again".to_owned()
        }
        StoreError::Unwritable(reason) => format!("The database takes no writes: {reason}"),
        StoreError::Outdated(_) => error.to_string(),
        _ => "The database is not available, try again".to_owned(),
    }
}

/// The form in which a context tells failures that none of its handlers has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    /// The lab's, and of what belongs to no context.
    Lab,
    /// The writer's.
    Writer,
    /// The market's.
    Market,
}

impl Envelope {
    /// That of the context that a path belongs to.
    pub(super) fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("writer") => Self::Writer,
            Some("market") => Self::Market,
            _ => Self::Lab,
        }
    }

    /// The request takes longer than it may.
    pub(super) fn timed_out(self, message: String) -> Response {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::Lab => HttpError::Domain(status, "TIMEOUT", message).into_response(),
            Self::Writer => HttpError::Detail(status, message).into_response(),
            Self::Market => MarketHttpError::timed_out(message).into_response(),
        }
    }

    /// The request is refused before anybody has looked at it.
    pub(super) fn refuse(self, error: HttpError) -> Response {
        match self {
            Self::Lab | Self::Writer => error.into_response(),
            Self::Market => MarketHttpError::from(error).into_response(),
        }
    }

    /// What is told of a mistake of this program's, which is nothing.
    fn internal(self) -> Response {
        match self {
            Self::Lab => internal(),
            Self::Writer => super::writer::internal().into_response(),
            Self::Market => MarketHttpError::internal().into_response(),
        }
    }

    /// A handler panicked, which is a mistake of this program's; the others' requests go on.
    fn panicked(self, panic: &(dyn Any + Send)) -> Response {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        tracing::error!(panic = text.unwrap_or("of another type"), "request failed");
        self.internal()
    }
}

/// Answers in place of a handler that panics.
pub(super) async fn catch_panics<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let envelope = Envelope::of(request.uri().path());
    let answer = AssertUnwindSafe(next(request)).catch_unwind().await;
    answer.unwrap_or_else(|panic| envelope.panicked(&*panic))
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
    let detail = match detail {
        Detail::Text(text) => Detail::Text(as_asked(&text)),
        Detail::Coded(CodedDetail { code, message }) => Detail::Coded(CodedDetail {
            code,
            message: as_asked(&message),
        }),
        mistakes @ Detail::Mistakes(_) => mistakes,
    };
    (status, Json(Failure::Refused(Refused { detail }))).into_response()
}

fn domain(status: StatusCode, code: &str, message: &str, details: Option<&Value>) -> Response {
    let error = FailureReason {
        code: code.to_owned(),
        message: as_asked(message),
        details: details.map(value_as_asked),
    };
    (status, Json(Failure::Failed(Failed { error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_in_the_form_of_its_context_and_not_what_it_said() {
        let internal = "An unexpected error occurred";
        let of_market = "An unexpected error occurred. Please try again later.";
        for (path, expected) in [
            (
                "/lab/synths/x",
                json!({"error": {"code": "INTERNAL_ERROR", "message": internal}}),
            ),
            ("/writer/api/files/x", json!({"detail": "Internal Server Error"})),
            (
                "/market/day/x",
                json!({"error": {"message": of_market, "type": "InternalServerError",
                    "details": {"hint": "Check server logs for more information"}}, "detail": of_market}),
            ),
        ] {
            let response = Envelope::of(path).panicked(&"a secret");
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, expected, "{path}");
        }
    }

    async fn told(response: Response) -> (StatusCode, Value) {
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn each_context_tells_whether_to_try_again_and_what_would_help() {
        let lost = || StoreError::Indeterminate("a secret".into());
        let away = || StoreError::Unavailable("a secret".into());
        let old = || StoreError::Outdated("without t.c; run `cutover migrate up` first".to_owned());
        let unknown = "The database did not say whether this was done: look before trying again";
        let again = "The database is not available, try again";
        let full = "The database takes no writes: there is no room left on its disk";
        for (error, text) in [
            (lost as fn() -> StoreError, unknown),
            (away as fn() -> StoreError, again),
            ((|| StoreError::NO_ROOM) as fn() -> StoreError, full),
            (
                old as fn() -> StoreError,
                "without t.c; run `cutover migrate up` first",
            ),
        ] {
            let of_market = json!({"error": {"message": text, "type": "DatabaseUnavailable",
                "details": {"hint": "The log of the service says more"}}, "detail": text});
            for (response, expected) in [
                (
                    HttpError::from(error()).into_response(),
                    json!({"error": {"code": "DATABASE_ERROR", "message": text}}),
                ),
                (
                    crate::http::writer::refuse(UseCaseError::Store(error())).into_response(),
                    json!({"detail": text}),
                ),
                (MarketHttpError::from(error()).into_response(), of_market),
            ] {
                assert_eq!(told(response).await, (StatusCode::SERVICE_UNAVAILABLE, expected));
            }
        }
    }

    #[tokio::test]
    async fn others_go_on_after_a_panic() {
        use tower::ServiceExt as _;
        let fail = || async { "a number".parse::<u8>().unwrap().to_string() };
        let router = axum::Router::new()
            .route("/writer/x", axum::routing::get(fail))
            .layer(axum::middleware::from_fn(
                |request, next: axum::middleware::Next| catch_panics(request, |request| next.run(request)),
            ));
        let request = Request::get("/writer/x").body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
