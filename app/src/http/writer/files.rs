//! `/writer/api/files`: uploads, and what is known of them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, HttpBody as _};
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use cutover_domain::writer::file::{FileMetadata, UPLOAD_TYPES};
use cutover_ports::StoreError;
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::disposition::{Disposition, latin1};
use super::stored::of_number;
use super::uploads::{Pending, Uploads};
use super::{TAG, internal, refuse};
use crate::http::App;
use crate::http::error::{Failure, HttpError, Mistake};
use crate::http::json::Json;
use crate::http::request::{PathText, unread};
use crate::http::schema::StoredNumber;
use crate::usecase::UseCaseError;
use crate::usecase::writer::files::Files;

/// What a multipart body may hold besides the contents of its parts: boundaries and headers.
const FRAME_BYTES: u64 = 1_048_576;
/// The most files that a body may hold, and the most texts.
const PARTS_MAX: usize = 1_000;
/// The most bytes that a text may have.
const TEXT_BYTES: usize = 1_048_576;
/// How much of a text that stands in a file's place is told back.
const TEXT_SHOWN: usize = 1_024;

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
        (status = 413, body = Failure)
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

/// Reads the part `file` of a multipart body to its end; of several the last one counts. Bytes of a wanted type go to the folder as they
/// come, those of another are only counted.
pub(super) async fn read_file(
    mut request: Request,
    limit: usize,
    wanted: impl Fn(&str) -> bool,
    folder: Option<(Uploads<'_>, &str)>,
) -> Result<FilePart, HttpError> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase());
    if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        return Err(no_file(None));
    }
    if request.body().size_hint().exact() == Some(0) {
        return Err(no_file(None));
    }
    let whole = usize::try_from(FRAME_BYTES)
        .unwrap_or(usize::MAX)
        .saturating_add(limit);
    DefaultBodyLimit::max(whole).apply(&mut request);
    let contents = Arc::new(AtomicU64::new(0));
    let mut multipart = Multipart::from_request(framed(request, Arc::clone(&contents)), &())
        .await
        .map_err(|_| wrong("Missing boundary in multipart."))?;
    let mut found = Err(no_file(None));
    let (mut files, mut texts) = (0, 0);
    loop {
        let mut field = match multipart.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => return found,
            // What came whole before the body ended counts.
            Err(error) if files + texts > 0 && is_cut(&error) => return found,
            Err(error) => return Err(broken(&error)),
        };
        let disposition = field.headers().get(header::CONTENT_DISPOSITION);
        let disposition = disposition.and_then(|header| Disposition::read(header.as_bytes()));
        let disposition = disposition
            .ok_or_else(|| wrong("The Content-Disposition header field \"name\" must be provided."))?;
        let is_file = disposition.name == "file";
        let (count, what) = if disposition.filename.is_some() {
            (&mut files, "files")
        } else {
            (&mut texts, "fields")
        };
        *count += 1;
        if *count > PARTS_MAX {
            return Err(wrong(&format!(
                "Too many {what}. Maximum number of {what} is {PARTS_MAX}."
            )));
        }
        let Some(filename) = disposition.filename else {
            let Some(text) = read_text(&mut field, &contents).await? else {
                return found;
            };
            if is_file {
                found = Err(no_file(Some(&text)));
            }
            continue;
        };
        let content_type = content_type(&field);
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
        if is_file {
            // What an earlier part left gives way.
            found = Err(no_file(None));
        }
        loop {
            let bytes = match field.chunk().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) if is_cut(&error) => return found,
                Err(error) => return Err(broken(&error)),
            };
            let length = bytes.len() as u64;
            contents.fetch_add(length, Ordering::Relaxed);
            part.size += length;
            if part.size > limit as u64 {
                return Err(unread(StatusCode::PAYLOAD_TOO_LARGE, String::new()));
            }
            if let Some((folder, id)) = folder {
                let pending = match part.kept.take() {
                    Some(pending) => pending,
                    None => folder.begin(id).await.map_err(|error| failed(&error))?,
                };
                part.kept
                    .insert(pending)
                    .write(&bytes)
                    .await
                    .map_err(|error| failed(&error))?;
            }
        }
        // A form sends a file without a name and without bytes where nobody chose one.
        if is_file && !(is_nameless && part.size == 0) {
            found = Ok(part);
        }
    }
}

/// The request with a body that ends in an error once more has come of it than `contents` and a frame. Of what it has not handed on the
/// parser keeps everything.
fn framed(request: Request, contents: Arc<AtomicU64>) -> Request {
    request.map(|body| {
        let mut came: u64 = 0;
        Body::from_stream(body.into_data_stream().map(move |bytes| {
            if came > contents.load(Ordering::Relaxed) + FRAME_BYTES {
                return Err(axum::Error::new("the frame of the multipart body is too large"));
            }
            if let Ok(bytes) = &bytes {
                came += bytes.len() as u64;
            }
            bytes
        }))
    })
}

/// The beginning of a text, which is read to its end; `None` if the body ends before.
async fn read_text(field: &mut Field<'_>, contents: &AtomicU64) -> Result<Option<String>, HttpError> {
    let (mut text, mut length) = (Vec::new(), 0);
    loop {
        let bytes = match field.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) if is_cut(&error) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        length += bytes.len();
        if length > TEXT_BYTES {
            let text = format!("Part exceeded maximum size of {}KB.", TEXT_BYTES / 1024);
            return Err(wrong(&text));
        }
        contents.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let room = TEXT_SHOWN.saturating_sub(text.len()).min(bytes.len());
        text.extend_from_slice(&bytes[..room]);
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Of an upload the file is missing, or a text stands in its place.
fn no_file(text: Option<&str>) -> HttpError {
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

/// The type as it was written, parameters included; empty if there is none.
fn content_type(field: &Field<'_>) -> String {
    let kind = field.headers().get(header::CONTENT_TYPE);
    kind.map_or_else(String::new, |kind| latin1(kind.as_bytes()))
}

/// A form that cannot be read, in the original's words.
fn wrong(text: &str) -> HttpError {
    HttpError::Detail(StatusCode::BAD_REQUEST, text.to_owned())
}

/// Whether the body ended before the part did, or before the boundary that ends it all. The original does not mind.
fn is_cut(error: &MultipartError) -> bool {
    let cause = error.source().and_then(<dyn Error>::downcast_ref);
    matches!(
        cause,
        Some(multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream)
    )
}

fn broken(error: &MultipartError) -> HttpError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return unread(error.status(), String::new());
    }
    HttpError::unreadable()
}

fn failed(error: &std::io::Error) -> HttpError {
    tracing::error!(%error, "an uploaded file could not be stored");
    internal()
}
