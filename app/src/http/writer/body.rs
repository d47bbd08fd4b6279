//! JSON bodies as the original's framework reads them.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::http::error::{HttpError, Mistake};
use crate::http::request::Body;

/// A body's value. One that is not called JSON is a text, and one without a type counts as JSON.
#[derive(Debug)]
pub(super) struct ModelBody(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for ModelBody {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let kind = request.headers().get(header::CONTENT_TYPE).cloned();
        let is_json = kind.is_none_or(|kind| is_json(&String::from_utf8_lossy(kind.as_bytes())));
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unread(rejection.status(), rejection.body_text()))?;
        if !is_json && !bytes.is_empty() {
            let text = std::str::from_utf8(&bytes).map_err(|_| HttpError::unreadable())?;
            return Ok(Self(text.into()));
        }
        Body::read(&bytes).map(|body| Self(body.0))
    }
}

/// A body that cannot be had, in words of ours.
pub(super) fn unread(status: StatusCode, text: String) -> HttpError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let text = "The body is larger than this service accepts";
        return HttpError::Detail(status, text.to_owned());
    }
    HttpError::Detail(status, text)
}

/// Whether a content type is `application/json`, or one that ends with `+json`.
fn is_json(kind: &str) -> bool {
    let name = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    name.strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// Of an upload the file is missing, or a text stands in its place.
pub(super) fn no_file(text: Option<&str>) -> HttpError {
    let loc = vec!["body".into(), "file".into()];
    HttpError::Invalid(vec![match text {
        None => Mistake {
            kind: "missing".to_owned(),
            loc,
            msg: "Field required".to_owned(),
            input: Value::Null,
            ctx: None,
        },
        Some(text) => Mistake {
            kind: "value_error".to_owned(),
            loc,
            msg: "Value error, Expected UploadFile, received: <class 'str'>".to_owned(),
            input: text.into(),
            ctx: Some(json!({ "error": {} })),
        },
    }])
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_is_what_its_type_says() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.api+json",
        ] {
            assert!(super::is_json(json), "{json}");
        }
        for other in ["text/plain", "", "text/json", "application/jsonx", "json"] {
            assert!(!super::is_json(other), "{other}");
        }
    }
}
