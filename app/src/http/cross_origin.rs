//! Pages of other origins, answered as the originals' framework does it for applications that let them ask with credentials.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, COOKIE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Which origins' pages may read the answers of each context.
#[derive(Debug)]
pub(super) struct Origins {
    market: Allowed,
}

/// Which origins' pages may read answers.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    /// All.
    Any,
    /// This one.
    One(HeaderValue),
}

/// What a page may ask with.
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/// How many seconds a browser may keep what it is told about that.
const KEPT_SECONDS: HeaderValue = HeaderValue::from_static("600");
const TRUE: HeaderValue = HeaderValue::from_static("true");

impl Origins {
    /// The lab lets all ask, the market those of a setting: one origin, or `*`.
    pub(super) fn new(market: &str) -> Self {
        let market = match HeaderValue::from_str(market) {
            Ok(origin) if origin != "*" => Allowed::One(origin),
            _ => Allowed::Any,
        };
        Self { market }
    }

    /// Those of the context that a path belongs to, if it has any.
    fn of(&self, path: &str) -> Option<&Allowed> {
        match path.split('/').nth(1) {
            Some("lab") => Some(&Allowed::Any),
            Some("market") => Some(&self.market),
            _ => None,
        }
    }
}

impl Allowed {
    fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::One(allowed) => allowed == origin,
        }
    }
}

/// Tells browsers whose pages may read the answer, mistakes and refusals included, and answers what they ask before they send a request.
pub(super) async fn cross_origin<F: Future<Output = Response>>(
    origins: &Origins,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let headers = request.headers();
    let asked = headers.get(ORIGIN).cloned();
    let (Some(origin), Some(allowed)) = (asked, origins.of(request.uri().path())) else {
        return next(request).await;
    };
    if request.method() == Method::OPTIONS
        && let Some(method) = headers.get(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return preflight(
            allowed,
            origin,
            method,
            headers.get(ACCESS_CONTROL_REQUEST_HEADERS),
        );
    }
    let has_cookie = headers.contains_key(COOKIE);
    let mut answer = next(request).await;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    if *allowed == Allowed::Any && !has_cookie {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if allowed.allow(&origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    answer
}

/// What a browser is told that asks whether it may send a request of a page.
fn preflight(
    allowed: &Allowed,
    origin: HeaderValue,
    method: &HeaderValue,
    asked: Option<&HeaderValue>,
) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, KEPT_SECONDS);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    // Whichever it wants to send.
    if let Some(asked) = asked {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    let mut refused = Vec::new();
    if allowed.allow(&origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    } else {
        refused.push("origin");
    }
    if !METHODS.split(", ").any(|known| method == known) {
        refused.push("method");
    }
    if refused.is_empty() {
        return (headers, "OK").into_response();
    }
    let text = format!("Disallowed CORS {}", refused.join(", "));
    (StatusCode::BAD_REQUEST, headers, text).into_response()
}
