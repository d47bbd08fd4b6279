//! `/writer/api/conversations`.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cutover_domain::writer::conversation as domain;
use cutover_ports::StoreError;
use cutover_ports::writer::ConversationPlace;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stored::{NaiveTime, of_enum, of_texts};
use super::{TAG, refuse};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::limits::Answers;
use crate::http::request::{BodyOrNull, Fields, Length, Mistakes, PathText};
use crate::http::schema::StoredText;
use crate::usecase::UseCaseError;
use crate::usecase::writer::conversations::Conversations;

/// So many conversations are asked for at once. The original's list has no pages; a longer one is sent piece by piece.
const AT_ONCE: u32 = 1_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(detail, rename, delete))
}

fn use_case(app: &App) -> Conversations {
    Conversations::new(
        &app.routing.writer(),
        Arc::clone(&app.clock),
        Arc::clone(&app.ids),
    )
}

/// A conversation to be made.
#[derive(ToSchema)]
struct ConversationToMake {
    /// Its title; a blank one will do.
    #[schema(min_length = 1)]
    title: String,
}

/// What to change of a conversation.
#[derive(ToSchema)]
struct ConversationChange {
    /// Its title; without one it stays, and the conversation is noted as changed all the same.
    #[schema(min_length = 1)]
    title: Option<String>,
}

/// What a list shows of a conversation.
#[derive(Serialize, ToSchema)]
struct ConversationItem {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// When it was made.
    created_at: NaiveTime,
    /// When it was changed last.
    updated_at: NaiveTime,
    /// How many messages it has.
    message_count: u64,
}

/// A conversation and what was said in it.
#[derive(Serialize, ToSchema)]
struct Conversation {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// When it was made.
    created_at: NaiveTime,
    /// When it was changed last.
    updated_at: NaiveTime,
    /// What was said, in its order.
    messages: Vec<ConversationMessage>,
}

/// A message of a conversation.
#[derive(Serialize, ToSchema)]
struct ConversationMessage {
    /// Its id.
    id: String,
    /// Who says it: `user`, `assistant` or `system`.
    #[schema(value_type = StoredText)]
    role: Value,
    /// What is said.
    content: String,
    /// When it was said.
    created_at: NaiveTime,
    /// Names of things that come with it; old files may hold other documents.
    attachments: Value,
}

impl From<domain::ConversationSummary> for ConversationItem {
    fn from(item: domain::ConversationSummary) -> Self {
        Self {
            created_at: NaiveTime::of(item.created_at.as_ref()),
            updated_at: NaiveTime::of(item.updated_at.as_ref()),
            id: item.id,
            title: item.title,
            message_count: item.message_count,
        }
    }
}

impl From<domain::Conversation> for Conversation {
    fn from(conversation: domain::Conversation) -> Self {
        Self {
            created_at: NaiveTime::of(conversation.created_at.as_ref()),
            updated_at: NaiveTime::of(conversation.updated_at.as_ref()),
            id: conversation.id,
            title: conversation.title,
            messages: conversation
                .messages
                .into_iter()
                .map(ConversationMessage::from)
                .collect(),
        }
    }
}

impl From<domain::Message> for ConversationMessage {
    fn from(message: domain::Message) -> Self {
        Self {
            role: of_enum(&message.role),
            created_at: NaiveTime::of(message.created_at.as_ref()),
            attachments: of_texts(&message.attachments),
            id: message.id,
            content: message.content,
        }
    }
}

/// Every conversation, in the order in which they were made.
#[utoipa::path(
    get, path = "/api/conversations", tag = TAG, responses((status = 200, body = Vec<ConversationItem>))
)]
async fn list(State(app): State<App>, Extension(answers): Extension<Answers>) -> Result<Response, HttpError> {
    let conversations = use_case(&app);
    let limit = app.observed.config.server.request_timeout;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let (first, next) = piece(&conversations, &answers, None).await.map_err(refuse)?;
    if next.is_none() {
        return Ok((kind, first).into_response());
    }
    let others = stream::try_unfold(next, move |next| {
        let (conversations, answers) = (conversations.clone(), answers.clone());
        async move {
            let Some(after) = next else {
                return Ok(None);
            };
            match timeout(limit, piece(&conversations, &answers, Some(after))).await {
                Ok(Ok(piece)) => Ok(Some(piece)),
                Ok(Err(error)) => Err(broke_off(error)),
                Err(late) => Err(broke_off(late)),
            }
        }
    });
    let pieces = stream::iter([Ok(first)]).chain(others);
    Ok((kind, Body::from_stream(pieces)).into_response())
}

/// The status has been sent, so that this is all that is told of it; the client sees its connection end.
fn broke_off(error: impl std::error::Error + Send + Sync + 'static) -> std::io::Error {
    tracing::error!(%error, "the list of conversations broke off");
    std::io::Error::other(error)
}

/// The part of the list behind a place, or from its start, once there is room for it; and the place behind it.
async fn piece(
    conversations: &Conversations,
    answers: &Answers,
    after: Option<ConversationPlace>,
) -> Result<(Bytes, Option<ConversationPlace>), UseCaseError> {
    let read = || async {
        let page = conversations.list(after.clone(), AT_ONCE).await?;
        let mut text = String::from(if after.is_none() { "[" } else { "" });
        for (index, item) in page.items.into_iter().enumerate() {
            if after.is_some() || index > 0 {
                text.push(',');
            }
            let item = serde_json::to_string(&ConversationItem::from(item));
            text.push_str(&item.map_err(|error| StoreError::Backend(error.into()))?);
        }
        if page.next.is_none() {
            text.push(']');
        }
        Ok((text.into(), page.next))
    };
    answers.fit(read).await
}

/// Make a conversation.
#[utoipa::path(
    post, path = "/api/conversations", tag = TAG, request_body = ConversationToMake,
    responses((status = 201, body = Conversation), (status = 400, body = Failure, description = "The title is empty."))
)]
async fn create(
    State(app): State<App>,
    BodyOrNull(body): BodyOrNull,
) -> Result<(StatusCode, Json<Conversation>), HttpError> {
    let mut mistakes = Mistakes::default();
    let title = Fields::of_body(&body, &mut mistakes)
        .and_then(|fields| fields.text("title", Length::default(), &mut mistakes));
    let wanted = mistakes.finish(title.map(|title| ConversationToMake { title }))?;
    let made = use_case(&app).create(wanted.title).await.map_err(refuse)?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// A conversation and what was said in it.
#[utoipa::path(
    get, path = "/api/conversations/{conversation_id}", tag = TAG, params(("conversation_id" = String, Path, format = Uuid)),
    responses((status = 200, body = Conversation), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, PathText(id): PathText) -> Result<Json<Conversation>, HttpError> {
    let found = use_case(&app).get(&id).await.map_err(refuse)?;
    Ok(Json(found.into()))
}

/// Give a conversation another title.
#[utoipa::path(
    put, path = "/api/conversations/{conversation_id}", tag = TAG, params(("conversation_id" = String, Path, format = Uuid)),
    request_body = ConversationChange,
    responses(
        (status = 200, body = Conversation),
        (status = 400, body = Failure, description = "The title is empty."),
        (status = 404, body = Failure)
    )
)]
async fn rename(
    State(app): State<App>,
    PathText(id): PathText,
    BodyOrNull(body): BodyOrNull,
) -> Result<Json<Conversation>, HttpError> {
    let mut mistakes = Mistakes::default();
    let change = Fields::of_body(&body, &mut mistakes).map(|fields| ConversationChange {
        title: fields.optional_text("title", Length::default(), &mut mistakes),
    });
    let change = mistakes.finish(change)?;
    let changed = use_case(&app).rename(&id, change.title).await.map_err(refuse)?;
    Ok(Json(changed.into()))
}

/// Delete a conversation and what was said in it.
#[utoipa::path(
    delete, path = "/api/conversations/{conversation_id}", tag = TAG, params(("conversation_id" = String, Path, format = Uuid)),
    responses((status = 204), (status = 404, body = Failure))
)]
async fn delete(State(app): State<App>, PathText(id): PathText) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await.map_err(refuse)?;
    Ok(StatusCode::NO_CONTENT)
}
