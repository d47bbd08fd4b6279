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
//!   are the ids of operations, the statuses that follow from what an operation reads, and that an answer has all its keys: one that
//!   is left out stands in [`LEFT_OUT`]. A status that a client acts upon is worth a line: `(status = 404, body = Failure)`.

use std::collections::HashSet;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Html;
use axum::routing::get;
use serde_json::{Map, Value, json};
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
    let page = Bytes::from(docs::page(&document));
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

/// Adds what holds for every operation: its id, that it may fail and how, and who may ask; and what holds for every answer.
fn complete(mut document: Value) -> Value {
    alternatives_may_overlap(&mut document);
    answers_have_all_their_keys(&mut document);
    document["components"]["securitySchemes"] = json!({
        "ops": { "type": "http", "scheme": "bearer", "description": "The token that is configured as ops.token." },
    });
    for (path, item) in members(&mut document["paths"]) {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                operation["operationId"] = operation_id(method, path).into();
                complete_operation(path, operation);
            }
        }
    }
    document
}

fn complete_operation(path: &str, operation: &mut Value) {
    let has_body = operation.get("requestBody").is_some();
    let parameters = operation["parameters"].as_array();
    let has = |place| parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == place));
    let (in_path, in_query) = (has("path"), has("query"));
    let is_closed = path.starts_with("/ops/");
    if is_closed {
        operation["security"] = json!([{ "ops": [] }]);
    }
    let failure = failure(path);
    let failures = [
        (
            in_path || has_body,
            "400",
            "What was sent is no text, or breaks off.",
        ),
        (is_closed, "401", "The token is missing or wrong."),
        (
            is_closed,
            "403",
            "No token is configured, and these operations are off.",
        ),
        (has_body, "413", "The body is larger than this service accepts."),
        (
            has_body || in_path || in_query,
            "422",
            "What was sent does not fit its schema.",
        ),
        (
            true,
            "503",
            "A database is not available, or the answer took too long.",
        ),
        (true, "default", "The request was refused, or it failed."),
    ];
    for (may_be, status, description) in failures {
        let responses = &mut operation["responses"];
        if may_be && responses.get(status).is_none() {
            responses[status] = json!({
                "description": description,
                "content": { "application/json": { "schema": failure } },
            });
        }
    }
    for (status, response) in members(&mut operation["responses"]) {
        if response["description"].as_str().unwrap_or_default().is_empty() {
            response["description"] = reason(status).into();
        }
        // What reads a path or a body answers for the market too, and in its own words.
        if let Some(schema) = response.pointer_mut("/content/application~1json/schema")
            && schema["$ref"] == "#/components/schemas/MarketFailure"
        {
            *schema = failure.clone();
        }
        // A text to some, and to others a sequence of events, of which this would be each one's schema.
        let content = response.get_mut("content");
        if let Some(events) = content.and_then(|content| content.get_mut("text/event-stream")) {
            *events = json!({});
        }
    }
}

/// How failures look beneath a path.
fn failure(path: &str) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    if path.starts_with("/market/") {
        json!({ "anyOf": [schema("MarketFailure"), schema("Failure")] })
    } else {
        schema("Failure")
    }
}

/// Keys of answers that are left out where there is nothing to tell. All others are always there, `null` if there is nothing.
const LEFT_OUT: [(&str, &[&str]); 7] = [
    ("FailureReason", &["details"]),
    (
        "MarketAccuracy",
        &[
            "message",
            "overall_mae",
            "checkpoint_performance",
            "confidence_calibration",
        ],
    ),
    (
        "MarketDuplicates",
        &["message", "deleted_records", "recommendation"],
    ),
    ("MarketMetrics", &["sample_data"]),
    ("MarketSuggestions", &["message"]),
    ("MarketTriggered", &["job", "action", "message"]),
    ("Mistake", &["ctx"]),
];

/// A schema is made without knowing whether it is read or answered, and takes what may be null for what may be missing.
fn answers_have_all_their_keys(document: &mut Value) {
    let mut read = HashSet::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for method in METHODS {
            collect_schemas(&item[method]["requestBody"], document, &mut read);
        }
    }
    for (name, schema) in members(&mut document["components"]["schemas"]) {
        if !read.contains(name) {
            let left_out = LEFT_OUT.iter().find(|(known, _)| known == name);
            require_all(schema, left_out.map_or(&[], |(_, keys)| keys));
        }
    }
}

/// The names of the schemas that `value` refers to, and of those that they refer to.
fn collect_schemas(value: &Value, document: &Value, found: &mut HashSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                && let Some(name) = reference.strip_prefix("#/components/schemas/")
                && found.insert(name.to_owned())
            {
                collect_schemas(&document["components"]["schemas"][name], document, found);
            }
            members
                .values()
                .for_each(|value| collect_schemas(value, document, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| collect_schemas(value, document, found)),
        _ => {}
    }
}

/// In a schema and in those that stand inside of it: parts of a flattened one, alternatives, what a generic one is of.
fn require_all(schema: &mut Value, left_out: &[&str]) {
    match schema {
        Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                let keys = properties.keys().filter(|key| !left_out.contains(&key.as_str()));
                let required = keys.cloned().collect();
                members.insert("required".to_owned(), required);
            }
            members
                .values_mut()
                .for_each(|schema| require_all(schema, left_out));
        }
        Value::Array(schemas) => schemas
            .iter_mut()
            .for_each(|schema| require_all(schema, left_out)),
        _ => {}
    }
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
    use super::*;
    use crate::config::OpsConfig;

    /// The description of all that the service offers.
    fn document() -> Value {
        let (_, document) =
            super::super::described(&["lab", "writer", "market"], &OpsConfig::default()).split_for_parts();
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
        assert!(ids.contains("get_lab") && ids.contains("get_writer"), "{ids:?}");
    }

    #[test]
    fn an_answer_has_all_its_keys_but_those_that_are_left_out() {
        let document = document();
        let schemas = &document["components"]["schemas"];
        for (name, keys) in LEFT_OUT {
            for key in keys {
                let schema = &schemas[name];
                assert!(schema["properties"][key].is_object(), "{name} has no {key}");
                let required = schema["required"].as_array().unwrap();
                assert!(!required.contains(&json!(key)), "{name} always has {key}");
            }
        }
        assert_eq!(
            schemas["Mistake"]["required"],
            json!(["type", "loc", "msg", "input"])
        );
        // What is read may be short; what is answered beside a flattened part may not.
        assert_eq!(schemas["ExperimentTexts"].get("required"), None);
        let detail = &schemas["ExperimentDetail"]["allOf"][1];
        assert_eq!(
            detail["required"],
            json!(["analysis", "interviews", "interview_count"])
        );
        // Nor may what stands inside of another: the items of a page, one of several shapes.
        for (name, schema) in schemas.as_object().unwrap() {
            if let Some(of) = name.strip_prefix("PageOf_") {
                let items = &schema["properties"]["data"]["items"];
                assert_eq!(items["required"], schemas[of]["required"], "{name}");
            }
        }
        assert_eq!(
            schemas["MarketStrikes"]["anyOf"][1]["required"],
            json!(["put_long_strike", "center_strike", "call_long_strike"])
        );
        for name in ["ChartInsight", "ExecutiveSummary"] {
            let shaped = &schemas[format!("Document_{name}")]["anyOf"][0];
            assert_eq!(shaped["required"], schemas[name]["required"], "{name}");
            assert!(shaped["required"].as_array().unwrap().contains(&json!("model")));
        }
    }

    #[test]
    fn a_picture_is_bytes_and_no_list_of_numbers() {
        let document = document();
        let responses = &document["paths"]["/lab/synths/{id}/avatar"]["get"]["responses"];
        for status in ["200", "206"] {
            let schema = &responses[status]["content"]["image/png"]["schema"];
            assert_eq!(*schema, json!({"type": "string", "format": "binary"}), "{status}");
        }
    }

    #[test]
    fn the_statuses_that_follow_from_what_is_read_are_told() {
        let document = document();
        let statuses = |method: &str, path: &str| -> Vec<String> {
            let responses = document["paths"][path][method]["responses"].as_object().unwrap();
            let mut statuses: Vec<String> = responses.keys().cloned().collect();
            statuses.sort_unstable();
            statuses
        };
        assert_eq!(statuses("get", "/healthz"), ["200", "503", "default"]);
        assert_eq!(
            statuses("get", "/lab/synths/list"),
            ["200", "422", "503", "default"]
        );
        assert_eq!(
            statuses("post", "/lab/synth-groups"),
            ["201", "400", "409", "413", "422", "503", "default"]
        );
        assert_eq!(
            statuses("get", "/ops/jobs"),
            ["200", "401", "403", "503", "default"]
        );
        assert_eq!(
            document["paths"]["/ops/jobs"]["get"]["security"],
            json!([{ "ops": [] }])
        );
        let failure = &document["paths"]["/market/day/{day}"]["get"]["responses"]["503"]["content"];
        assert_eq!(
            failure["application/json"]["schema"]["anyOf"][0]["$ref"],
            "#/components/schemas/MarketFailure"
        );
    }

    #[test]
    fn what_is_one_of_a_few_texts_is_described_so() {
        let document = document();
        let parameter = |path: &str, name: &str| {
            let operation = &document["paths"][path];
            let operation = operation.get("get").unwrap_or(&operation["post"]);
            let parameters = operation["parameters"].as_array().unwrap();
            let found = parameters.iter().find(|parameter| parameter["name"] == name);
            found.unwrap()["schema"].clone()
        };
        assert_eq!(
            parameter("/lab/experiments/{id}/documents/{document_type}", "document_type")["enum"],
            json!(["summary", "prfaq", "executive_summary"])
        );
        assert_eq!(
            parameter("/lab/experiments/{id}/insights/{chart_type}", "chart_type")["enum"][8],
            "dendrogram"
        );
        assert_eq!(
            parameter("/market/log/{checkpoint}", "checkpoint")["enum"],
            json!(["preMarket", "open", "noon", "twoPM", "close"])
        );
        assert_eq!(parameter("/market/day/{day}", "day")["format"], "date");
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

    #[test]
    fn the_pages_tables_have_names_and_headings_and_a_keyboard_reaches_them() {
        let page = docs::page(&document());
        assert_eq!(page.matches("<main>").count(), 1);
        let mut tables = page.split("<table>");
        let mut before = tables.next().unwrap();
        for table in tables {
            let (_, container) = before.rsplit_once('<').unwrap();
            let opens = "div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"";
            assert!(container.starts_with(opens), "{container}");
            assert!(table.starts_with("<thead><tr><th scope=\"col\">"), "{table}");
            assert!(table.contains("<tbody><tr><th scope=\"row\">"), "{table}");
            before = table;
        }
        assert!(page.contains("aria-label=\"Answers of GET /healthz\""));
    }
}
