//! Paths as the originals' server hands them to its routes, and what it does about a slash too many.

use std::sync::Arc;

use axum::extract::OriginalUri;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::unknown_path;

/// What stands in a path only escaped.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The request with its path in the one spelling that it has for the originals: they read escaped letters and slashes as such before
/// they look for a route, and replace what is not UTF-8.
///
/// For the server, before it hands the request to the routes: a layer of theirs would come after the choice of one.
pub(super) fn with_plain_path<B>(mut request: Request<B>) -> Request<B> {
    if let Some(uri) = plain(request.uri()) {
        request.extensions_mut().insert(OriginalUri(uri.clone()));
        *request.uri_mut() = uri;
    }
    request
}

/// The URI with its path in that spelling, if it has another.
fn plain(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains('%') {
        return None;
    }
    let text = percent_decode_str(path).decode_utf8_lossy();
    let spelled = utf8_percent_encode(&text, ESCAPED).to_string();
    let spelled = match uri.query() {
        Some(query) => format!("{spelled}?{query}"),
        None => spelled,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(spelled).ok()?);
    Uri::from_parts(parts).ok()
}

/// The paths of a context, with names in braces for their parameters.
#[derive(Debug, Clone)]
pub(super) struct Paths(Arc<[String]>);

impl Paths {
    /// These paths.
    pub(super) fn new<'p>(paths: impl IntoIterator<Item = &'p String>) -> Self {
        Self(paths.into_iter().cloned().collect())
    }

    /// Whether there are operations under a path.
    fn know(&self, path: &str) -> bool {
        self.0.iter().any(|known| {
            let mut parts = path.split('/');
            let fit = known.split('/').all(|known| match parts.next() {
                Some(part) if known.starts_with('{') => !part.is_empty(),
                part => part == Some(known),
            });
            fit && parts.next().is_none()
        })
    }

    /// There is no such path; if there is one without the slash at the end, that is where to go.
    pub(super) async fn lead_on(self, context: &'static str, OriginalUri(uri): OriginalUri) -> Response {
        let path = uri.path();
        let target = path.strip_suffix('/').filter(|path| {
            let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(context));
            below.is_some_and(|below| self.know(below))
        });
        let target = target.map(|path| {
            let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
            HeaderValue::try_from(format!("{path}{query}"))
        });
        match target {
            Some(Ok(target)) => {
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            }
            _ => unknown_path().await.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, spelled) in [
            ("/lab/%65xperiments/list?a=%65", "/lab/experiments/list?a=%65"),
            ("/market/day/2026%2F01", "/market/day/2026/01"),
            ("/writer/api/files/%ff", "/writer/api/files/%EF%BF%BD"),
            ("/a%00b%25%3f%23%20", "/a%00b%25%3F%23%20"),
            ("/%C3%A9/%2B:@", "/%C3%A9/+:@"),
        ] {
            let uri = plain(&path.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), spelled, "{path}");
        }
        assert_eq!(plain(&"/lab/a+b:c?x=%20".parse().unwrap()), None);
    }

    #[test]
    fn only_paths_with_operations_are_known() {
        let paths = ["/", "/api/conversations", "/api/files/{file_id}"].map(str::to_owned);
        let paths = Paths::new(&paths);
        for known in ["/api/conversations", "/api/files/x"] {
            assert!(paths.know(known), "{known}");
        }
        for other in [
            "",
            "/api",
            "/api/files",
            "/api/files/",
            "/api/files/x/y",
            "//api/conversations",
        ] {
            assert!(!paths.know(other), "{other}");
        }
    }
}
