//! JSON answers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A value that is answered as JSON. As the framework's own, but written into a plain vector: its buffer begins with 128 bytes, and
/// each of the small pieces that a page of rows consists of is checked on its way into it.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// About what a short answer takes.
const BYTES_AT_FIRST: usize = 1_024;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut bytes = Vec::with_capacity(BYTES_AT_FIRST);
        if let Err(error) = serde_json::to_writer(&mut bytes, &self.0) {
            tracing::error!(%error, "an answer cannot be written as JSON");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let kind = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, kind)], Body::from(bytes)).into_response()
    }
}
