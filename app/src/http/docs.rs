//! The OpenAPI document as a page for people: plain HTML made once at the start, without a script.

use std::fmt::{self, Write as _};

use serde_json::Value;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2.5rem;border-bottom:1px solid #8886}\
summary{cursor:pointer;padding:.35rem 0}\
details{border-bottom:1px solid #8883}\
details>div{padding:0 0 1rem 1.2rem}\
code,pre{font:13px/1.45 ui-monospace,monospace}\
b.method{display:inline-block;min-width:4.5rem;font:600 13px ui-monospace,monospace}\
table{border-collapse:collapse}\
.scroll{overflow-x:auto}\
code,a,summary{overflow-wrap:anywhere}\
td,th{text-align:left;vertical-align:top;padding:.15rem .9rem .15rem 0;font-weight:normal}\
thead{opacity:.7}\
small{opacity:.7}";

/// The page.
pub(super) fn page(document: &Value) -> String {
    let mut page = String::new();
    // Writing to a text does not fail.
    write_page(&mut page, document).map_or_else(|error| error.to_string(), |()| page)
}

fn write_page(page: &mut String, document: &Value) -> fmt::Result {
    let title = text(&document["info"]["title"]);
    let description = text(&document["info"]["description"]);
    let version = text(&document["info"]["version"]);
    write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main><h1>{title} <small>{version}</small></h1><p>{description}</p>\
         <p>For machines: <a href=\"/openapi.json\">openapi.json</a></p>"
    )?;
    for tag in tags(document) {
        write!(page, "<h2>{}</h2>", escape(tag))?;
        for (path, method, operation) in operations(document) {
            if tag_of(operation) == tag {
                write_operation(page, path, method, operation)?;
            }
        }
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in object(&document["components"]["schemas"]) {
        let name = escape(name);
        write!(
            page,
            "<details id=\"{name}\"><summary><code>{name}</code></summary><div>"
        )?;
        write_schema(page, &name, schema)?;
        page.push_str("</div></details>");
    }
    page.push_str("</main></html>\n");
    Ok(())
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    object(&document["paths"])
        .flat_map(|(path, item)| object(item).map(move |(method, operation)| (path, method, operation)))
        .filter(|(_, _, operation)| operation.get("responses").is_some())
}

fn tag_of(operation: &Value) -> &str {
    operation["tags"][0].as_str().unwrap_or_default()
}

/// The tags in the order of their first operation.
fn tags(document: &Value) -> Vec<&str> {
    let mut tags = Vec::new();
    for (_, _, operation) in operations(document) {
        let tag = tag_of(operation);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) -> fmt::Result {
    write!(
        page,
        "<details><summary><b class=\"method\">{}</b><code>{}</code> {}</summary><div><p>{}</p>",
        escape(&method.to_uppercase()),
        escape(path),
        text(&operation["summary"]),
        text(&operation["description"]),
    )?;
    let mut rows = String::new();
    for parameter in items(&operation["parameters"]) {
        let required = parameter["required"].as_bool().unwrap_or(false);
        write!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code>{}<td>{}<td>{}<td>{}",
            text(&parameter["name"]),
            if required { " *" } else { "" },
            text(&parameter["in"]),
            kind(&parameter["schema"]),
            text(&parameter["description"]),
        )?;
    }
    let name = format!("{} {}", escape(&method.to_uppercase()), escape(path));
    let columns = ["Parameter", "In", "Kind", "Meaning"];
    write_table(page, &format!("Parameters of {name}"), &columns, &rows)?;
    for (media, content) in object(&operation["requestBody"]["content"]) {
        write!(page, "<p>Reads {}: {}", escape(media), kind(&content["schema"]))?;
    }
    rows.clear();
    for (status, response) in object(&operation["responses"]) {
        write!(
            rows,
            "<tr><th scope=\"row\">{}<td>{}<td>",
            escape(status),
            text(&response["description"])
        )?;
        for (media, content) in object(&response["content"]) {
            write!(rows, "{}: {} ", escape(media), kind(&content["schema"]))?;
        }
    }
    let columns = ["Status", "Meaning", "Answer"];
    write_table(page, &format!("Answers of {name}"), &columns, &rows)?;
    page.push_str("</div></details>");
    Ok(())
}

/// A table, if it has rows. On a narrow screen it can be wider than the page, and who has a keyboard alone must reach what moves it.
fn write_table(page: &mut String, name: &str, columns: &[&str], rows: &str) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    write!(
        page,
        "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{name}\"><table><thead><tr>"
    )?;
    for column in columns {
        write!(page, "<th scope=\"col\">{column}")?;
    }
    write!(page, "<tbody>{rows}</table></div>")
}

fn write_schema(page: &mut String, name: &str, schema: &Value) -> fmt::Result {
    write!(page, "<p>{}</p>", text(&schema["description"]))?;
    let properties = schema["properties"].as_object();
    if properties.is_none() {
        write!(page, "<p>{}</p>", kind(schema))?;
    }
    let mut rows = String::new();
    for (key, property) in properties.into_iter().flatten() {
        let required = items(&schema["required"]).any(|required| required == key);
        write!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code>{}<td>{}<td>{}",
            escape(key),
            if required { " *" } else { "" },
            kind(property),
            text(&property["description"]),
        )?;
    }
    let columns = ["Key", "Kind", "Meaning"];
    write_table(page, &format!("Keys of {name}"), &columns, &rows)
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = escape(name.rsplit('/').next().unwrap_or(name));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(between);
        }
    }
    let mut words = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(kind) => escape(kind),
        _ => "anything".to_owned(),
    };
    if schema["items"].is_object() {
        words = format!("{words} of {}", kind(&schema["items"]));
    }
    let limits = [
        "enum",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "default",
    ];
    for key in limits {
        if let Some(limit) = schema.get(key) {
            words = format!("{words}, {key} <code>{}</code>", escape(&limit.to_string()));
        }
    }
    words
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
