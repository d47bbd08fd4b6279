//! `/lab/experiments/{id}/documents`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use cutover_domain::lab::experiment_document::{DocumentSummary, DocumentType, ExperimentDocument};
use cutover_domain::lab::research_execution::DEFAULT_MODEL;
use cutover_domain::stored::{Stored, TextEnum as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stored::{Document, Scalar, Time, shown_model};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Fields, Key, Keys, Length, Mistakes, OptionalBody};
use crate::http::schema::one_of;
use crate::usecase::lab::documents::Documents;

const TAG: &str = "Lab: documents";

/// Beneath `/lab/experiments`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(availability))
        .routes(routes!(get, delete))
        .routes(routes!(markdown))
        .routes(routes!(generate))
}

fn use_case(app: &App) -> Documents {
    Documents::new(&app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

/// What an experiment can have a document of.
struct DocumentKind;

impl utoipa::PartialSchema for DocumentKind {
    fn schema() -> RefOr<Schema> {
        one_of(DocumentType::ALL.iter().map(|kind| kind.as_str()))
    }
}

impl ToSchema for DocumentKind {}

/// A document without its text.
#[derive(Serialize, ToSchema)]
struct ListedDocument {
    /// Its id.
    id: String,
    /// `summary`, `prfaq` or `executive_summary`.
    document_type: Scalar,
    /// `pending`, `generating`, `completed`, `failed` or `partial`.
    status: Scalar,
    /// When it was written, or its writing begun.
    generated_at: Time,
    /// The language model.
    model: String,
}

/// A document of an experiment.
#[derive(Serialize, ToSchema)]
struct WholeDocument {
    /// Its id.
    id: String,
    /// The experiment.
    experiment_id: String,
    /// `summary`, `prfaq` or `executive_summary`.
    document_type: Scalar,
    /// Its text; empty while it is being written.
    markdown_content: String,
    /// What it was made from.
    metadata: Option<Document<DocumentMetadata>>,
    /// When it was written, or its writing begun.
    generated_at: Time,
    /// The language model.
    model: String,
    /// `pending`, `generating`, `completed`, `failed` or `partial`.
    status: Scalar,
    /// Why writing it failed.
    error_message: Option<String>,
}

/// What a document was made from.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
struct DocumentMetadata(BTreeMap<String, Value>);

/// Which documents an experiment has.
#[derive(Serialize, ToSchema)]
struct DocumentsAvailability {
    /// The summary of its interviews.
    summary: DocumentAvailability,
    /// Its PR/FAQ.
    prfaq: DocumentAvailability,
    /// The summary of its analysis.
    executive_summary: DocumentAvailability,
}

/// Whether a document can be read.
#[derive(Default, Serialize, ToSchema)]
struct DocumentAvailability {
    /// Whether it is completed.
    available: bool,
    /// `pending`, `generating`, `completed`, `failed` or `partial`.
    status: Option<Scalar>,
    /// When it was written, or its writing begun.
    generated_at: Option<Time>,
}

/// How a document is to be written.
#[derive(ToSchema)]
struct DocumentToGenerate {
    /// The language model.
    #[schema(required = false, default = "gpt-4o-mini")]
    model: String,
}

/// What became of the wish for a document.
#[derive(Serialize, ToSchema)]
struct GenerationBegun {
    /// Its id; none, if it was being written already.
    document_id: Option<String>,
    /// Always `generating`.
    status: &'static str,
    /// The same in words.
    message: String,
}

/// A document that is gone.
#[derive(Serialize, ToSchema)]
struct DocumentDeleted {
    /// Always true.
    deleted: bool,
    /// Its type.
    document_type: &'static str,
}

impl From<DocumentSummary> for ListedDocument {
    fn from(document: DocumentSummary) -> Self {
        Self {
            id: document.id,
            document_type: Scalar::of_enum(&document.document_type),
            status: Scalar::of_enum(&document.status),
            generated_at: Time::from(&document.generated_at),
            model: shown_model(document.model),
        }
    }
}

impl From<ExperimentDocument> for WholeDocument {
    fn from(document: ExperimentDocument) -> Self {
        Self {
            document_type: Scalar::of_enum(&document.document_type),
            metadata: Document::opt(document.metadata.as_ref()),
            generated_at: Time::from(&document.generated_at),
            status: Scalar::of_enum(&document.status),
            id: document.id,
            experiment_id: document.experiment_id,
            markdown_content: document.markdown_content,
            // Alone, an empty one is shown as it is.
            model: document.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
            error_message: document.error_message,
        }
    }
}

/// The type of a document in a path.
fn kind(text: &str) -> Result<DocumentType, HttpError> {
    let mut mistakes = Mistakes::default();
    let kind = read_kind(text, &mut mistakes);
    mistakes.finish(kind)
}

fn read_kind(text: &str, mistakes: &mut Mistakes) -> Option<DocumentType> {
    let kind = DocumentType::from_text(text);
    if kind.is_none() {
        let expected = "'summary', 'prfaq' or 'executive_summary'";
        mistakes.add(
            "enum",
            &["path".into(), "document_type".into()],
            &format!("Input should be {expected}"),
            &text.into(),
            Some(json!({ "expected": expected })),
        );
    }
    kind
}

/// An experiment's documents without their texts, newest first.
#[utoipa::path(
    get, path = "/experiments/{id}/documents", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Vec<ListedDocument>))
)]
async fn list(State(app): State<App>, Key(id): Key) -> Result<Json<Vec<ListedDocument>>, HttpError> {
    let documents = use_case(&app).list(&id).await?;
    Ok(Json(documents.into_iter().map(ListedDocument::from).collect()))
}

/// Which documents an experiment has.
#[utoipa::path(
    get, path = "/experiments/{id}/documents/availability", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = DocumentsAvailability))
)]
async fn availability(
    State(app): State<App>,
    Key(id): Key,
) -> Result<Json<DocumentsAvailability>, HttpError> {
    let documents = use_case(&app).list(&id).await?;
    let of = |kind| {
        let document = documents
            .iter()
            .find(|document| document.document_type == Stored::Known(kind));
        document.map_or_else(DocumentAvailability::default, |document| DocumentAvailability {
            available: document.is_available(),
            status: Some(Scalar::of_enum(&document.status)),
            // The original writes this one by itself, and not by its framework.
            generated_at: Some(Time::isoformat(&document.generated_at)),
        })
    };
    Ok(Json(DocumentsAvailability {
        summary: of(DocumentType::Summary),
        prfaq: of(DocumentType::Prfaq),
        executive_summary: of(DocumentType::ExecutiveSummary),
    }))
}

/// A document.
#[utoipa::path(
    get, path = "/experiments/{id}/documents/{document_type}", tag = TAG,
    params(("id" = String, Path), ("document_type" = inline(DocumentKind), Path)),
    responses((status = 200, body = WholeDocument), (status = 404, body = Failure), (status = 422, body = Failure))
)]
async fn get(State(app): State<App>, Keys(id, kind_text): Keys) -> Result<Json<WholeDocument>, HttpError> {
    let document = use_case(&app).get(&id, kind(&kind_text)?).await?;
    Ok(Json(document.into()))
}

/// The text of a completed document.
#[utoipa::path(
    get, path = "/experiments/{id}/documents/{document_type}/markdown", tag = TAG,
    params(("id" = String, Path), ("document_type" = inline(DocumentKind), Path)),
    responses(
        (status = 200, body = String, content_type = "text/markdown"),
        (status = 404, body = Failure), (status = 422, body = Failure),
    )
)]
async fn markdown(State(app): State<App>, Keys(id, kind_text): Keys) -> Result<impl IntoResponse, HttpError> {
    let text = use_case(&app).markdown(&id, kind(&kind_text)?).await?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text))
}

/// Note that a document is being written. Nothing here writes it, and a summary of the analysis is not even noted.
#[utoipa::path(
    post, path = "/experiments/{id}/documents/{document_type}/generate", tag = TAG,
    params(("id" = String, Path), ("document_type" = inline(DocumentKind), Path)),
    request_body = Option<DocumentToGenerate>,
    responses(
        (status = 200, body = GenerationBegun), (status = 404, body = Failure), (status = 422, body = Failure),
        (status = 501, body = Failure),
    )
)]
async fn generate(
    State(app): State<App>,
    Keys(id, kind_text): Keys,
    OptionalBody(body): OptionalBody,
) -> Result<Json<GenerationBegun>, HttpError> {
    let mut mistakes = Mistakes::default();
    let kind = read_kind(&kind_text, &mut mistakes);
    let wish = DocumentToGenerate::read(body.as_ref(), &mut mistakes);
    let (kind, wish) = mistakes.finish(kind.zip(wish))?;
    if kind == DocumentType::ExecutiveSummary {
        let text = "Writing an executive summary needs a language model";
        return Err(HttpError::not_implemented(text));
    }
    let document_id = use_case(&app).begin(&id, kind, &wish.model).await?;
    let message = match document_id {
        Some(_) => format!("Started generation of {}", kind.as_str()),
        None => format!("Document {} is already being generated", kind.as_str()),
    };
    Ok(Json(GenerationBegun {
        document_id,
        status: "generating",
        message,
    }))
}

impl DocumentToGenerate {
    fn read(body: Option<&Value>, mistakes: &mut Mistakes) -> Option<Self> {
        let model = match body {
            Some(body) => {
                let fields = Fields::of_body(body, mistakes)?;
                if fields.has("model") {
                    fields.text("model", Length::default(), mistakes)?
                } else {
                    DEFAULT_MODEL.to_owned()
                }
            }
            None => DEFAULT_MODEL.to_owned(),
        };
        Some(Self { model })
    }
}

/// Delete a document.
#[utoipa::path(
    delete, path = "/experiments/{id}/documents/{document_type}", tag = TAG,
    params(("id" = String, Path), ("document_type" = inline(DocumentKind), Path)),
    responses((status = 200, body = DocumentDeleted), (status = 404, body = Failure), (status = 422, body = Failure))
)]
async fn delete(
    State(app): State<App>,
    Keys(id, kind_text): Keys,
) -> Result<Json<DocumentDeleted>, HttpError> {
    let kind = kind(&kind_text)?;
    use_case(&app).delete(&id, kind).await?;
    Ok(Json(DocumentDeleted {
        deleted: true,
        document_type: kind.as_str(),
    }))
}
