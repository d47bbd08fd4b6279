//! Failures in the form of SPY-tracker: `{"error": {"message", "type", "details"}}`. Some of its clients look for `detail`,
//! so that is there too.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cutover_ports::StoreError;
use cutover_ports::market::PriceError;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::error::{HttpError, not_now};
use crate::http::json::Json;
use crate::usecase::market::MarketError;

/// A failure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MarketFailure {
    /// What failed.
    error: MarketFailureReason,
    /// The message once more.
    detail: String,
}

/// What failed, and what is known about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MarketFailureReason {
    /// In words.
    message: String,
    /// The kind, a word for machines.
    #[serde(rename = "type")]
    kind: &'static str,
    /// More about it.
    details: Value,
}

/// An answer that is not a success.
#[derive(Debug)]
pub(in crate::http) enum MarketHttpError {
    /// The request does not fit its schema.
    Request(HttpError),
    /// Anything else.
    Failed(StatusCode, &'static str, String, Value),
}

impl MarketHttpError {
    /// What the original raises without a class of its own.
    pub(super) fn plain(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Failed(status, "HTTPException", message.into(), json!({}))
    }

    /// The request takes longer than it may.
    pub(in crate::http) fn timed_out(message: String) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::Failed(status, "Timeout", message, json!({}))
    }

    /// Something is wrong in this service.
    pub(in crate::http) fn internal() -> Self {
        let message = "An unexpected error occurred. Please try again later.".to_owned();
        let details = json!({ "hint": "Check server logs for more information" });
        Self::Failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            message,
            details,
        )
    }

    /// What this service cannot do.
    pub(super) fn not_here(message: impl Into<String>) -> Self {
        let status = StatusCode::NOT_IMPLEMENTED;
        Self::Failed(status, "NotImplemented", message.into(), json!({}))
    }
}

impl From<HttpError> for MarketHttpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Detail(status, message) => Self::plain(status, message),
            other => Self::Request(other),
        }
    }
}

impl From<MarketError> for MarketHttpError {
    fn from(error: MarketError) -> Self {
        let message = error.to_string();
        match error {
            MarketError::NotFound { day, hint, .. } => {
                let details = json!({ "date": day.to_string(), "hint": hint });
                Self::Failed(StatusCode::NOT_FOUND, "DataNotFoundException", message, details)
            }
            MarketError::NothingToDerive(day) => {
                let details = json!({ "date": day.to_string(), "action": "recompute" });
                Self::Failed(StatusCode::NOT_FOUND, "DataNotFoundException", message, details)
            }
            MarketError::NoPrices { .. } => Self::plain(StatusCode::NOT_FOUND, message),
            MarketError::Unusable(_) => {
                Self::Failed(StatusCode::BAD_REQUEST, "ValidationException", message, json!({}))
            }
            MarketError::NoPrice(day) => {
                let missing = "Need at least one price point or prediction range";
                let details = json!({ "date": day.to_string(), "missing": missing });
                Self::Failed(StatusCode::BAD_REQUEST, "ValidationException", message, details)
            }
            MarketError::Refused(_) => Self::plain(StatusCode::BAD_REQUEST, message),
            MarketError::Locked(day) => {
                let details = json!({ "date": day.to_string() });
                Self::Failed(
                    StatusCode::CONFLICT,
                    "PredictionLockedException",
                    message,
                    details,
                )
            }
            MarketError::NoModel(_) | MarketError::Prices(PriceError::NotConfigured) => {
                Self::not_here(message)
            }
            MarketError::Prices(_) => Self::Failed(
                StatusCode::SERVICE_UNAVAILABLE,
                "MarketDataException",
                message,
                json!({}),
            ),
            MarketError::Store(error) => store(&error),
        }
    }
}

impl From<StoreError> for MarketHttpError {
    fn from(error: StoreError) -> Self {
        store(&error)
    }
}

/// What a store's failure is to a client: who can do something about it decides the status.
fn store(error: &StoreError) -> MarketHttpError {
    let failed = |status, kind, message: String, hint: &str| {
        MarketHttpError::Failed(status, kind, message, json!({ "hint": hint }))
    };
    match error {
        StoreError::Invalid { what, reason } => MarketHttpError::Failed(
            StatusCode::BAD_REQUEST,
            "ValidationException",
            reason.clone(),
            json!({ "rule": what }),
        ),
        StoreError::Conflict(_) => failed(
            StatusCode::CONFLICT,
            "ConflictException",
            error.to_string(),
            "Read it again and decide anew",
        ),
        StoreError::Missing(_) => failed(
            StatusCode::NOT_FOUND,
            "DataNotFoundException",
            error.to_string(),
            "Create it first",
        ),
        StoreError::Unavailable(_)
        | StoreError::Unwritable(_)
        | StoreError::Outdated(_)
        | StoreError::Indeterminate(_)
        | StoreError::Moved(_) => {
            tracing::warn!(category = error.category(), %error, "the store did not answer");
            failed(
                StatusCode::SERVICE_UNAVAILABLE,
                "DatabaseUnavailable",
                not_now(error),
                "The log of the service says more",
            )
        }
        StoreError::Corrupt { .. } | StoreError::Backend(_) => {
            tracing::error!(category = error.category(), %error, "request failed");
            MarketHttpError::internal()
        }
    }
}

impl IntoResponse for MarketHttpError {
    fn into_response(self) -> Response {
        match self {
            Self::Request(error) => error.into_response(),
            Self::Failed(status, kind, message, details) => {
                let failure = MarketFailure {
                    detail: message.clone(),
                    error: MarketFailureReason {
                        message,
                        kind,
                        details,
                    },
                };
                (status, Json(failure)).into_response()
            }
        }
    }
}
