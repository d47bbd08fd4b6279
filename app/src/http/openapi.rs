//! The description of the service: made from the handlers, served as `/openapi.json` and as the page `/docs`.
//!
//! How a handler is described:
//!
//! - `#[utoipa::path(get, path = "/list", tag = "…", params(…), responses((status = 200, body = …)))]` stands above it, and
//!   `.routes(routes!(list))` in its slice's [`OpenApiRouter`]; handlers of one path stand together: `routes!(detail, delete)`.
//!   Its documentation is the operation's: the first line the summary, the rest the description.
//! - What it reads and answers are types that derive `ToSchema` (and `Serialize`, if it answers them: the keys come in the
//!   order of the fields). Parameters of a query are the fields of a type that derives `IntoParams`. A field's documentation
//!   describes the key. The name of a type is the name of its schema, of which there is one for the whole service: where two
//!   contexts have the same word, `#[schema(as = lab::Group)]` keeps them apart.
//! - Only what is particular is said. That any operation may fail, and how failures look, is added here for all, and so
//!   are the ids of operations. A status that a client acts upon is worth a line: `(status = 404, body = Failure)`.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::docs;
use super::error::Failure;

/// The methods that a path can have operations for.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What stands above the parts; name, version and description are the crate's.
#[derive(OpenApi)]
#[openapi(info(title = "Cutover"), components(schemas(Failure)))]
struct Root;

/// A router whose document says what the service is; the parts are nested into it.
pub(super) fn root<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Root::openapi())
}

/// The routes of `router`, and their description at `/openapi.json` and `/docs`.
pub(super) fn describe<S: Clone + Send + Sync + 'static>(router: OpenApiRouter<S>) -> Router<S> {
    let (routes, document) = router.split_for_parts();
    let document = complete(serde_json::to_value(document).unwrap_or_default());
    let page = docs::page(&document);
    let document = Bytes::from(document.to_string());
    routes
        .route(
            "/openapi.json",
            get(async || ([(CONTENT_TYPE, "application/json")], document)),
        )
        // Nothing on the page is anybody else's, and it loads nothing.
        .route(
            "/docs",
            get(async || {
                let policy = "default-src 'none'; style-src 'unsafe-inline'";
                ([(CONTENT_SECURITY_POLICY, policy)], Html(page))
            }),
        )
}

/// Adds what holds for every operation: its id, and that it may fail.
fn complete(mut document: Value) -> Value {
    alternatives_may_overlap(&mut document);
    let failure = json!({
        "description": "The request was refused, or it failed.",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } },
    });
    for (path, item) in members(&mut document["paths"]) {
        for method in METHODS {
            let Some(operation) = item.get_mut(method) else {
                continue;
            };
            operation["operationId"] = operation_id(method, path).into();
            operation["responses"]["default"] = failure.clone();
            for (status, response) in members(&mut operation["responses"]) {
                if response["description"].as_str().unwrap_or_default().is_empty() {
                    response["description"] = reason(status).into();
                }
            }
        }
    }
    document
}

/// What is made of an untagged enumeration says that exactly one of its schemas fits, but a value may fit several.
fn alternatives_may_overlap(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(alternatives) = members.shift_remove("oneOf") {
                members.insert("anyOf".to_owned(), alternatives);
            }
            members.values_mut().for_each(alternatives_may_overlap);
        }
        Value::Array(items) => items.iter_mut().for_each(alternatives_may_overlap),
        _ => {}
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

/// What a status says by itself.
fn reason(status: &str) -> &'static str {
    let status = status.parse().ok();
    status
        .and_then(|status: StatusCode| status.canonical_reason())
        .unwrap_or("Another answer")
}

/// `GET /lab/synths/{id}/avatar` is `get_lab_synths_id_avatar`.
fn operation_id(method: &str, path: &str) -> String {
    path.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .fold(method.to_owned(), |id, word| id + "_" + word)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::config::OpsConfig;

    /// The description of all that the service offers.
    fn document() -> Value {
        let (_, document) = super::super::described(&["lab", "writer", "market"], "*", &OpsConfig::default())
            .split_for_parts();
        complete(serde_json::to_value(document).unwrap())
    }

    fn references(value: &Value, found: &mut HashSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_operation_is_described() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let mut found = HashSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let mut ids = HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} stands twice");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["tags"][0].is_string(), "{method} {path} has no tag");
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let in_path = parameters.filter(|parameter| parameter["in"] == "path").count();
                assert_eq!(
                    path.matches('{').count(),
                    in_path,
                    "{method} {path} does not describe its path"
                );
            }
        }
        assert!(ids.contains("get_lab_synth_groups_list"), "{ids:?}");
    }

    #[test]
    fn the_page_shows_every_operation_and_runs_nothing() {
        let document = document();
        let page = docs::page(&document);
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        assert!(!page.contains("<script") && !page.contains("src="));
    }
}
