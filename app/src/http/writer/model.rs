//! What the original asks a model for. This service stores; it checks such a request as the original does and then says so.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use cutover_domain::writer::file::audio_types;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::TAG;
use super::files::{FileToStore, check, read_file};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::number::real;
use crate::http::request::{BodyOrNull, Fields, Length, Mistakes};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(transcribe))
        .routes(routes!(extract))
        .routes(routes!(generate))
}

/// A text whose themes are wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, and read field by field")]
struct TextWithThemes {
    /// The text.
    #[schema(min_length = 1)]
    text: String,
}

/// What to write, and about what.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, and read field by field")]
struct TextToWrite {
    /// About what.
    #[schema(min_items = 1)]
    themes: Vec<Theme>,
    /// What.
    #[schema(min_length = 1)]
    prompt: String,
}

/// A theme of a text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, and read field by field")]
struct Theme {
    /// Its name.
    #[schema(min_length = 1)]
    name: String,
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    confidence: f64,
}

/// Put a recording into words: not by this service.
#[utoipa::path(
    post, path = "/api/transcribe", tag = TAG,
    request_body(
        content = FileToStore, content_type = "multipart/form-data",
        encoding(("file" = (content_type = "audio/flac, audio/mp3, audio/mpeg, audio/ogg, audio/wav, audio/webm"))),
    ),
    responses((status = 400, body = Failure), (status = 501, body = Failure))
)]
async fn transcribe(State(app): State<App>, request: Request) -> HttpError {
    let types: Vec<&str> = audio_types().collect();
    let wanted = |kind: &str| types.contains(&kind.to_lowercase().as_str());
    let part = match read_file(request, app.upload_limit, wanted, None).await {
        Ok(part) => part,
        Err(error) => return error,
    };
    match check(&part, &part.kind().to_lowercase(), &types) {
        Ok(()) => not_here("transcription"),
        Err(error) => error,
    }
}

/// Find the themes of a text: not by this service.
#[utoipa::path(
    post, path = "/api/themes/extract", tag = TAG, request_body = TextWithThemes,
    responses((status = 400, body = Failure), (status = 501, body = Failure))
)]
async fn extract(BodyOrNull(body): BodyOrNull) -> HttpError {
    let mut mistakes = Mistakes::default();
    let text = Fields::of_body(&body, &mut mistakes).map(|fields| text(&fields, "text", &mut mistakes));
    match mistakes.finish(text) {
        Err(error) => error,
        Ok(text) if text.is_empty() => bad("Text content cannot be empty"),
        Ok(_) => not_here("theme extraction"),
    }
}

/// Write a text: not by this service.
#[utoipa::path(
    post, path = "/api/generate", tag = TAG, request_body = TextToWrite,
    responses((status = 400, body = Failure), (status = 501, body = Failure))
)]
async fn generate(BodyOrNull(body): BodyOrNull) -> HttpError {
    let mut mistakes = Mistakes::default();
    let read = Fields::of_body(&body, &mut mistakes).map(|fields| {
        let themes = themes(&fields, &mut mistakes);
        (themes, text(&fields, "prompt", &mut mistakes))
    });
    match mistakes.finish(read) {
        Err(error) => error,
        Ok((0, _)) => bad("At least one theme is required"),
        Ok((_, prompt)) if prompt.is_empty() => bad("Prompt cannot be empty"),
        Ok(_) => not_here("text generation"),
    }
}

/// A text that may be missing, and then is empty; null is no text.
fn text(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> String {
    let value = fields
        .has(name)
        .then(|| fields.text(name, Length::default(), mistakes));
    value.flatten().unwrap_or_default()
}

/// Checks the themes; how many there are. They may be missing, but not null.
fn themes(fields: &Fields<'_>, mistakes: &mut Mistakes) -> usize {
    let value = fields.has("themes").then(|| fields.required("themes", mistakes));
    let Some(value) = value.flatten() else {
        return 0;
    };
    let Some(themes) = value.as_array() else {
        mistakes.add(
            "list_type",
            &fields.at("themes"),
            "Input should be a valid list",
            value,
            None,
        );
        return 0;
    };
    for (index, theme) in themes.iter().enumerate() {
        let mut at = fields.at("themes");
        at.push(index.into());
        let Some(theme) = Fields::of(theme, at, mistakes) else {
            continue;
        };
        if theme.text("name", Length::default(), mistakes).as_deref() == Some("") {
            let message = "Value error, Name cannot be empty";
            mistakes.add(
                "value_error",
                &theme.at("name"),
                message,
                &"".into(),
                Some(json!({ "error": {} })),
            );
        }
        confidence(&theme, mistakes);
    }
    themes.len()
}

/// A number, as the framework reads one, from 0 to 1.
fn confidence(theme: &Fields<'_>, mistakes: &mut Mistakes) {
    let Some(value) = theme.required("confidence", mistakes) else {
        return;
    };
    let at = theme.at("confidence");
    if let Some(number) = real(value, &at, mistakes)
        && !(0.0..=1.0).contains(&number)
    {
        let message = "Value error, Confidence must be between 0.0 and 1.0";
        mistakes.add("value_error", &at, message, value, Some(json!({ "error": {} })));
    }
}

fn bad(text: &str) -> HttpError {
    HttpError::Detail(StatusCode::BAD_REQUEST, text.to_owned())
}

/// What needs a model is somebody else's.
fn not_here(what: &str) -> HttpError {
    HttpError::Detail(
        StatusCode::NOT_IMPLEMENTED,
        format!("This service stores conversations and files; it has no model for {what}"),
    )
}
