//! `/writer/api/files`: uploads, and what is known of them.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use cutover_domain::writer::file::{FileMetadata, UPLOAD_TYPES};
use cutover_ports::StoreError;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::disposition::{Disposition, Parameters, decoded, latin1};
use super::multipart::{Multipart, Piece};
use super::stored::of_number;
use super::uploads::{Pending, Uploads};
use super::{FIELDS_MAX, TAG, TEXT_MAX, refuse, upload_max, urlencoded, wrong};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{INPUT_MAX, Mistakes, PathText, unread};
use crate::http::schema::StoredNumber;
use crate::usecase::UseCaseError;
use crate::usecase::writer::files::Files;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload, detail_of_upload))
        .routes(routes!(detail))
}

pub(super) fn use_case(app: &App) -> Files {
    Files::new(
        &app.routing.writer(),
        Arc::clone(&app.clock),
        Arc::clone(&app.ids),
    )
}

/// A file to be stored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, and read part by part")]
pub(super) struct FileToStore {
    /// The file, with its name and type.
    #[schema(value_type = String, format = Binary, min_length = 1)]
    file: Vec<u8>,
}

/// What is known of a file.
#[derive(Serialize, ToSchema)]
struct UploadedFile {
    /// Its id.
    id: String,
    /// Its name, as it was given.
    filename: String,
    /// Its type, as it was given.
    content_type: String,
    /// Its length in bytes.
    #[schema(value_type = StoredNumber)]
    size: Value,
}

impl From<FileMetadata> for UploadedFile {
    fn from(file: FileMetadata) -> Self {
        Self {
            size: of_number(&file.size),
            id: file.id,
            filename: file.filename,
            content_type: file.content_type,
        }
    }
}

/// Store a file.
///
/// Its type is one of the nine that are accepted, written as they are. Its bytes go to the folder of the uploads.
#[utoipa::path(
    post, path = "/api/files/upload", tag = TAG,
    request_body(
        content = FileToStore, content_type = "multipart/form-data",
        encoding(("file" = (content_type = "application/json, application/pdf, audio/flac, audio/mp3, audio/mpeg, audio/ogg, audio/wav, audio/webm, text/plain"))),
    ),
    responses(
        (status = 201, body = UploadedFile),
        (status = 400, body = Failure, description = "The file is empty, or of a type that is not accepted."),
        (status = 413, body = Failure),
        (status = 507, body = Failure, description = "The disk is full.")
    )
)]
async fn upload(
    State(app): State<App>,
    request: Request,
) -> Result<(StatusCode, Json<UploadedFile>), HttpError> {
    let files = use_case(&app);
    let id = files.new_id();
    let folder = Uploads(&app.uploads);
    let part = read_file(
        request,
        app.upload_limit,
        |kind| UPLOAD_TYPES.contains(&kind),
        Some((folder, &id)),
    )
    .await?;
    let kind = Some(part.kind()).filter(|kind| !kind.is_empty());
    check(&part, kind.unwrap_or("application/octet-stream"), &UPLOAD_TYPES)?;
    if part.filename.contains('\0') {
        let message = "Value error, a file's name must not contain the character U+0000";
        return Err(mistaken("value_error", message, &part.filename.into(), None));
    }
    let size = i64::try_from(part.size).unwrap_or(i64::MAX);
    if let Some(pending) = part.kept {
        pending.keep(&id).await.map_err(|error| failed(&error))?;
    }
    let noted = files
        .note(id.clone(), part.filename, part.content_type, size)
        .await;
    match noted {
        Ok(file) => Ok((StatusCode::CREATED, Json(file.into()))),
        Err(error) => {
            // Nobody will ever know of the file, unless the note was made and only the answer got lost.
            if !matches!(error, UseCaseError::Store(StoreError::Indeterminate(_)))
                && let Err(error) = folder.remove(&id).await
            {
                tracing::warn!(id, %error, "a file that nobody knows of stays behind");
            }
            Err(refuse(error))
        }
    }
}

/// What is known of a file.
#[utoipa::path(
    get, path = "/api/files/{file_id}", tag = TAG, params(("file_id" = String, Path)),
    responses((status = 200, body = UploadedFile), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, PathText(id): PathText) -> Result<Json<UploadedFile>, HttpError> {
    let file = use_case(&app).get(&id).await.map_err(refuse)?;
    Ok(Json(file.into()))
}

/// What is known of the file `upload`: nothing.
///
/// To the original this is a file like any other, and there is none of this name.
#[utoipa::path(
    get, path = "/api/files/upload", tag = TAG,
    responses((status = 200, body = UploadedFile), (status = 404, body = Failure))
)]
async fn detail_of_upload(state: State<App>) -> Result<Json<UploadedFile>, HttpError> {
    detail(state, PathText("upload".to_owned())).await
}

/// An uploaded file.
pub(super) struct FilePart {
    /// As the client named it.
    filename: String,
    /// As the client named it; empty if it did not.
    content_type: String,
    /// Whether that type is wanted.
    wanted: bool,
    /// How many bytes came.
    size: u64,
    /// Where they are, if they are kept.
    kept: Option<Pending>,
}

impl FilePart {
    /// Its type as the client named it; empty if it did not.
    pub(super) fn kind(&self) -> &str {
        &self.content_type
    }
}

/// Refuses an empty file, and then one of another type, which is told as `kind`.
pub(super) fn check(part: &FilePart, kind: &str, types: &[&str]) -> Result<(), HttpError> {
    if part.size == 0 {
        let text = "Empty file not allowed";
        return Err(HttpError::Detail(StatusCode::BAD_REQUEST, text.to_owned()));
    }
    if !part.wanted {
        let text = format!(
            "Invalid content type: {kind}. Allowed types: {}",
            types.join(", ")
        );
        return Err(HttpError::Detail(StatusCode::BAD_REQUEST, text));
    }
    Ok(())
}

/// Reads the part `file` of a form to its end; of several the last one counts. Bytes of a wanted type go to the folder as they come, those
/// of another are only counted.
pub(super) async fn read_file(
    request: Request,
    limit: usize,
    wanted: impl Fn(&str) -> bool,
    folder: Option<(Uploads<'_>, &str)>,
) -> Result<FilePart, HttpError> {
    let most = upload_max(limit);
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = Parameters::read(kind.map_or(b"", |kind| kind.as_bytes()));
    match &*kind.word {
        "multipart/form-data" => {}
        "application/x-www-form-urlencoded" => {
            let text = urlencoded::text(request.into_body(), "file", most).await?;
            return Err(no_file(text.as_deref()));
        }
        _ => return Err(no_file(None)),
    }
    let boundary = kind.last("boundary");
    let boundary = boundary.ok_or_else(|| wrong("Missing boundary in multipart."))?;
    let mut multipart = Multipart::new(request.into_body(), &boundary, most)?;
    let mut found = Err(no_file(None));
    let (mut files, mut texts) = (0, 0);
    while let Some(head) = multipart.part().await? {
        let disposition = Disposition::read(&head.disposition)
            .ok_or_else(|| wrong("The Content-Disposition header field \"name\" must be provided."))?;
        let is_file = disposition.name == "file";
        let (count, what) = if disposition.filename.is_some() {
            (&mut files, "files")
        } else {
            (&mut texts, "fields")
        };
        *count += 1;
        if *count > FIELDS_MAX {
            return Err(wrong(&format!(
                "Too many {what}. Maximum number of {what} is {FIELDS_MAX}."
            )));
        }
        let Some(filename) = disposition.filename else {
            if let Some(text) = read_text(&mut multipart).await?
                && is_file
            {
                found = Err(no_file(Some(&text)));
            }
            continue;
        };
        let content_type = latin1(head.content_type.as_deref().unwrap_or_default());
        let is_nameless = filename.is_empty();
        let mut part = FilePart {
            filename: if is_nameless {
                "unknown".to_owned()
            } else {
                filename
            },
            wanted: wanted(&content_type),
            content_type,
            size: 0,
            kept: None,
        };
        let folder = folder.filter(|_| is_file && part.wanted);
        let is_whole = loop {
            let bytes = match multipart.piece().await? {
                Piece::Bytes(bytes) => bytes,
                Piece::Whole => break true,
                Piece::Cut => break false,
            };
            part.size += bytes.len() as u64;
            if part.size > limit as u64 {
                return Err(unread(StatusCode::PAYLOAD_TOO_LARGE));
            }
            if let Some((folder, id)) = folder {
                // Only now, because nothing is asked of the folder for an empty file; and beside an earlier one, which counts if this one
                // is cut.
                let pending = if let Some(pending) = part.kept.take() {
                    pending
                } else {
                    let name = format!("{id}.{files}");
                    folder.begin(&name).await.map_err(|error| failed(&error))?
                };
                part.kept
                    .insert(pending)
                    .write(bytes)
                    .await
                    .map_err(|error| failed(&error))?;
            }
        };
        if is_file && is_whole {
            // A form sends a file without a name and without bytes where nobody chose one.
            let is_chosen = !(is_nameless && part.size == 0);
            found = if is_chosen { Ok(part) } else { Err(no_file(None)) };
        }
    }
    found
}

/// A text, which is read to its end; `None` if the body ends before. Of one that is too long to be told back the beginning.
async fn read_text(multipart: &mut Multipart) -> Result<Option<String>, HttpError> {
    let (mut text, mut length) = (Vec::new(), 0);
    loop {
        let bytes = match multipart.piece().await? {
            Piece::Bytes(bytes) => bytes,
            Piece::Whole => return Ok(Some(decoded(&text))),
            Piece::Cut => return Ok(None),
        };
        length += bytes.len();
        if length > TEXT_MAX {
            let text = format!("Part exceeded maximum size of {}KB.", TEXT_MAX / 1024);
            return Err(wrong(&text));
        }
        let room = (INPUT_MAX + 1 - text.len()).min(bytes.len());
        text.extend_from_slice(&bytes[..room]);
    }
}

/// Of an upload the file is missing, or a text stands in its place; an empty one is none.
fn no_file(text: Option<&str>) -> HttpError {
    match text.filter(|text| !text.is_empty()) {
        None => mistaken("missing", "Field required", &Value::Null, None),
        Some(text) => {
            let message = "Value error, Expected UploadFile, received: <class 'str'>";
            mistaken("value_error", message, &text.into(), Some(json!({ "error": {} })))
        }
    }
}

/// What is wrong with the field `file`.
fn mistaken(kind: &str, message: &str, input: &Value, context: Option<Value>) -> HttpError {
    let mut mistakes = Mistakes::default();
    mistakes.add(kind, &["body".into(), "file".into()], message, input, context);
    mistakes.into()
}

/// The folder is at fault, or its disk, and not the request.
fn failed(error: &std::io::Error) -> HttpError {
    tracing::error!(%error, "an uploaded file could not be stored");
    let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let (status, reason) = if is_full {
        (StatusCode::INSUFFICIENT_STORAGE, "There is no room for the file")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The file cannot be stored now, try again",
        )
    };
    HttpError::Detail(status, reason.to_owned())
}
