//! Paths as the originals' server hands them to its routes, and what it does about a slash too many.

use std::sync::Arc;

use axum::extract::{MatchedPath, OriginalUri};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use utoipa::openapi::{OpenApi, PathItem};

use super::error::unknown_path;

/// The first part of the originals' paths. All others are our own, for operators.
const CONTEXTS: [&str; 3] = ["lab", "writer", "market"];

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
/// Our own paths have one spelling only: a proxy that keeps them from others by comparing texts must not be got round by another.
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
    if !text
        .split('/')
        .nth(1)
        .is_some_and(|first| CONTEXTS.contains(&first))
    {
        return None;
    }
    let spelled = utf8_percent_encode(&text, ESCAPED).to_string();
    let spelled = match uri.query() {
        Some(query) => format!("{spelled}?{query}"),
        None => spelled,
    };
    with_path(uri, spelled)
}

/// The URI with this path and query in the place of its own.
fn with_path(uri: &Uri, path_and_query: String) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

/// The paths of a context, with names in braces for their parameters.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    context: &'static str,
    known: Arc<[String]>,
}

impl Paths {
    /// These paths.
    pub(super) fn new<'p>(context: &'static str, paths: impl IntoIterator<Item = &'p String>) -> Self {
        Self {
            context,
            known: paths.into_iter().cloned().collect(),
        }
    }

    /// Whether there are operations under a path.
    fn know(&self, path: &str) -> bool {
        self.known.iter().any(|known| fits(known, path))
    }

    /// There is no such path; if there is one without the slashes at the end, that is where to go.
    pub(super) async fn lead_on(self, OriginalUri(uri): OriginalUri) -> Response {
        let path = uri.path();
        let short = path.trim_end_matches('/');
        let target = Some(short).filter(|short| {
            let below = short
                .strip_prefix('/')
                .and_then(|path| path.strip_prefix(self.context));
            short.len() < path.len() && below.is_some_and(|below| self.know(below))
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

/// Whether a path is one that `known` stands for, which has names in braces for its parameters.
fn fits(known: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let fit = known.split('/').all(|known| match parts.next() {
        Some(part) if is_parameter(known) => !part.is_empty(),
        part => part == Some(known),
    });
    fit && parts.next().is_none()
}

fn is_parameter(part: &str) -> bool {
    part.starts_with('{')
}

/// Paths with a word where others have a parameter. The originals look at the path and the method together: a method that only the
/// path with the parameter has is meant for that one.
#[derive(Debug, Clone)]
pub(super) struct Words(Arc<[Word]>);

/// One such path, its methods, and the paths with a parameter in that place.
#[derive(Debug)]
struct Word {
    path: String,
    /// How many bytes of it stand before its first parameter.
    plain: usize,
    methods: Vec<Method>,
    others: Vec<(String, Vec<Method>)>,
}

impl Words {
    /// Those among the paths of a description.
    pub(super) fn of(document: &OpenApi) -> Self {
        let operations = document.paths.paths.iter();
        let operations = operations.map(|(path, item)| (path.clone(), methods(item)));
        Self::among(&operations.collect::<Vec<_>>())
    }

    fn among(operations: &[(String, Vec<Method>)]) -> Self {
        let words = operations.iter().filter_map(|(path, methods)| {
            let stands_for = |other: &&(String, Vec<Method>)| other.0 != *path && fits(&other.0, path);
            let others: Vec<_> = operations.iter().filter(stands_for).cloned().collect();
            (!others.is_empty()).then(|| Word {
                path: path.clone(),
                plain: path.find('{').unwrap_or(path.len()),
                methods: methods.clone(),
                others,
            })
        });
        // Of several that fit, the one with the fewest parameters is chosen.
        let mut words: Vec<Word> = words.collect();
        words.sort_by_key(|word| word.path.split('/').filter(|part| is_parameter(part)).count());
        Self(words.into())
    }

    /// The request with its path in a spelling that only the path with the parameter fits, if it is meant for that one: the word with
    /// its first letter escaped, which is the same text for whoever reads the parameter. One with nothing between two slashes, which is no
    /// parameter's value to the originals, gets a path that no route fits.
    pub(super) fn lead<B>(&self, mut request: Request<B>) -> Request<B> {
        if let Some(uri) = astray(request.uri()) {
            if request.extensions().get::<OriginalUri>().is_none() {
                let original = OriginalUri(request.uri().clone());
                request.extensions_mut().insert(original);
            }
            *request.uri_mut() = uri;
        } else if let Some(uri) = self.led(request.method(), request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    }

    fn led(&self, method: &Method, uri: &Uri) -> Option<Uri> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let path = uri.path();
        let fitting = |word: &&Word| path.starts_with(&word.path[..word.plain]) && fits(&word.path, path);
        // Nearly every request ends here, and few paths have to be looked at for it.
        let mut lacking = self.0.iter().filter(|word| !word.methods.contains(method));
        lacking.find(fitting)?;
        let word = self.0.iter().find(fitting)?;
        if word.methods.contains(method) {
            return None;
        }
        let (other, _) = word.others.iter().find(|(_, methods)| methods.contains(method))?;
        let parts = uri.path().split('/').zip(other.split('/'));
        let spelled = parts.map(|(part, known)| match part.as_bytes().first() {
            Some(first) if is_parameter(known) && first.is_ascii_alphanumeric() => {
                format!("%{first:02X}{}", &part[1..])
            }
            _ => part.to_owned(),
        });
        let mut path = spelled.collect::<Vec<_>>().join("/");
        if let Some(query) = uri.query() {
            path = format!("{path}?{query}");
        }
        with_path(uri, path)
    }
}

/// Of a path with nothing between two slashes, what leads to its context and no further.
fn astray(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains("//") {
        return None;
    }
    let (context, _) = path.strip_prefix('/')?.split_once('/')?;
    with_path(uri, format!("/{context}//"))
}

/// The methods of a path in a description.
fn methods(item: &PathItem) -> Vec<Method> {
    let methods = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    let has = methods.into_iter().filter(|(_, operation)| operation.is_some());
    has.map(|(method, _)| method).collect()
}

/// The path that a request is served at, with the names of its parts. One that nobody serves is the client's invention, and must not become
/// a label.
pub(super) fn route<B>(request: &Request<B>) -> &str {
    let route = request.extensions().get::<MatchedPath>();
    route.map_or("none", MatchedPath::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_parameters_value_to_methods_that_only_the_parameter_has() {
        let operations = [
            ("/synths/{id}", vec![Method::GET]),
            ("/synths/search", vec![Method::POST]),
            ("/e/{id}/d/{kind}", vec![Method::GET, Method::DELETE]),
            ("/e/{id}/d/all", vec![Method::GET]),
            ("/e/{id}/d", vec![Method::GET]),
        ];
        let operations = operations.map(|(path, methods)| (path.to_owned(), methods));
        let words = Words::among(&operations);
        for (method, path, led) in [
            (Method::GET, "/synths/search?a=b", Some("/synths/%73earch?a=b")),
            (Method::HEAD, "/synths/search", Some("/synths/%73earch")),
            (Method::POST, "/synths/search", None),
            (Method::PUT, "/synths/search", None),
            (Method::GET, "/synths/x", None),
            (Method::DELETE, "/e/x/d/all", Some("/e/%78/d/%61ll")),
            (Method::DELETE, "/e/%3F/d/all", Some("/e/%3F/d/%61ll")),
            (Method::GET, "/e/x/d/all", None),
        ] {
            let found = words.led(&method, &path.parse().unwrap());
            assert_eq!(found, led.map(|led| led.parse().unwrap()), "{method} {path}");
        }
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (path, spelled) in [
            ("/lab/%65xperiments/list?a=%65", "/lab/experiments/list?a=%65"),
            ("/market/day/2026%2F01", "/market/day/2026/01"),
            ("/writer/api/files/%ff", "/writer/api/files/%EF%BF%BD"),
            ("/lab/a%00b%25%3f%23%20", "/lab/a%00b%25%3F%23%20"),
            ("/lab/%C3%A9/%2B:@", "/lab/%C3%A9/+:@"),
            ("/%6Cab%2Fx", "/lab/x"),
            // Dots are no steps.
            ("/lab/%2e%2e/metrics", "/lab/../metrics"),
            ("/lab%2F%2E%2E%2Fmetrics", "/lab/../metrics"),
        ] {
            let uri = plain(&path.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), spelled, "{path}");
        }
        assert_eq!(plain(&"/lab/a+b:c?x=%20".parse().unwrap()), None);
    }

    #[test]
    fn our_own_paths_have_no_other_spelling() {
        for path in [
            "/%6Detrics",
            "/metric%73",
            "/%2Fmetrics",
            "/%2f",
            "/%2e/metrics",
            "/metrics%2F",
            "/ops/%76erify",
            "/ops%2Fverify",
            "/%6Fps/jobs",
            "/lab%3F/%2e%2e/metrics",
            "/%64ocs",
            "/openapi%2Ejson",
            "/%FF",
        ] {
            assert_eq!(plain(&path.parse().unwrap()), None, "{path}");
        }
    }

    #[test]
    fn nothing_between_two_slashes_leads_nowhere_but_the_original_is_known() {
        for (path, led) in [
            ("/lab/synths//x?a=//", Some("/lab//")),
            ("/lab//", Some("/lab//")),
            ("//lab/x", Some("///")),
            ("/lab/synths/x?a=//", None),
        ] {
            let request = Request::builder().uri(path).body(()).unwrap();
            let request = Words(Arc::new([])).lead(request);
            assert_eq!(request.uri(), led.unwrap_or(path), "{path}");
            let original = request.extensions().get::<OriginalUri>();
            let original = original.map(|OriginalUri(uri)| uri.to_string());
            assert_eq!(original.as_deref(), led.map(|_| path));
        }
    }

    #[test]
    fn only_paths_with_operations_are_known() {
        let paths = ["/", "/api/conversations", "/api/files/{file_id}"].map(str::to_owned);
        let paths = Paths::new("writer", &paths);
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
