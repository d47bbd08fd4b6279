//! Conversations and their messages.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{
    Conversation, ConversationSummary, Message, read_attachments, stored_attachments,
};
use cutover_ports::writer::ConversationRepository;
use cutover_ports::{Page, PageRequest, StoreError, StoreResult};
use rusqlite::params;

use super::opt_sql_time;
use crate::Database;
use crate::database::Session;
use crate::row::{Columns, sql_enum};

/// [`ConversationRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteConversationRepository {
    db: Database,
}

impl SqliteConversationRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// A table's order. Files that were never taken over lack the column, and rows that the original writes lack a value: there the
/// rowid tells in which order they came.
fn place(session: &Session, table: &str) -> StoreResult<&'static str> {
    Ok(if session.has_column(table, "position")? {
        "coalesce(position, rowid)"
    } else {
        "rowid"
    })
}

/// A conversation and one of its messages, if it has any. The title, which may be long, comes once.
fn conversation_sql(session: &Session) -> StoreResult<String> {
    let place = place(session, "messages")?;
    Ok(format!(
        "SELECT c.id, CASE WHEN row_number() OVER (ORDER BY m.place, m.id) = 1 THEN c.title END,
            c.created_at, c.updated_at, m.id IS NOT NULL, m.id, m.role, m.content, m.created_at, m.attachments
        FROM conversations AS c
        LEFT JOIN (SELECT *, {place} AS place FROM messages WHERE conversation_id = ?1) AS m
        WHERE c.id = ?1 ORDER BY m.place, m.id"
    ))
}

fn conversation_from_row(columns: &mut Columns<'_>) -> StoreResult<(Conversation, Option<Message>)> {
    let conversation = Conversation {
        id: columns.text()?,
        title: columns.text()?,
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
        messages: Vec::new(),
    };
    let message = if columns.count()? == 0 {
        None
    } else {
        Some(Message {
            id: columns.text()?,
            role: columns.text_enum()?,
            content: columns.text()?,
            created_at: columns.opt_time()?,
            attachments: read_attachments(columns.opt_json()?.as_ref()),
        })
    };
    Ok((conversation, message))
}

fn get(session: &Session, id: &str) -> StoreResult<Option<Conversation>> {
    let mut rows = session
        .query(&conversation_sql(session)?, [id], conversation_from_row)?
        .into_iter();
    let Some((mut conversation, first)) = rows.next() else {
        return Ok(None);
    };
    conversation.messages.extend(first);
    conversation
        .messages
        .extend(rows.filter_map(|(_, message)| message));
    Ok(Some(conversation))
}

/// Stores messages behind all others.
fn insert_messages(session: &Session, conversation_id: &str, messages: &[Message]) -> StoreResult<()> {
    const SQL: &str = "INSERT INTO messages (id, conversation_id, role, content, created_at, attachments)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const WITH_POSITION: &str = "INSERT INTO messages
            (id, conversation_id, role, content, created_at, attachments, position)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, 1 + max(
            coalesce((SELECT max(position) FROM messages), 0), coalesce((SELECT max(rowid) FROM messages), 0))";
    let sql = if session.has_column("messages", "position")? {
        WITH_POSITION
    } else {
        SQL
    };
    for message in messages {
        let attachments = stored_attachments(&message.attachments).map_err(|other| {
            StoreError::invalid("messages.attachments", format!("{other:?} is no document"))
        })?;
        let row = params![
            message.id,
            conversation_id,
            sql_enum(&message.role),
            message.content,
            opt_sql_time(message.created_at.as_ref()),
            attachments.as_ref().map(Json::as_str),
        ];
        session.execute_referring(sql, row, &[("conversations", "id", conversation_id)])?;
    }
    Ok(())
}

#[async_trait]
impl ConversationRepository for SqliteConversationRepository {
    async fn insert(&self, conversation: &Conversation) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO conversations (id, title, created_at, updated_at) VALUES (?1, ?2, ?3, ?4)";
        const WITH_POSITION: &str = "INSERT INTO conversations (id, title, created_at, updated_at, position)
            SELECT ?1, ?2, ?3, ?4, 1 + max(coalesce((SELECT max(position) FROM conversations), 0),
                coalesce((SELECT max(rowid) FROM conversations), 0))";
        let conversation = conversation.clone();
        self.db
            .atomic("conversations.insert", move |session| {
                let sql = if session.has_column("conversations", "position")? {
                    WITH_POSITION
                } else {
                    SQL
                };
                let row = params![
                    conversation.id,
                    conversation.title,
                    opt_sql_time(conversation.created_at.as_ref()),
                    opt_sql_time(conversation.updated_at.as_ref()),
                ];
                session.execute(sql, row)?;
                insert_messages(session, &conversation.id, &conversation.messages)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Conversation>> {
        let id = id.to_owned();
        self.db
            .read("conversations.get", move |session| get(session, &id))
            .await
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<ConversationSummary>> {
        const COUNT: &str = "SELECT count(*) FROM conversations";
        self.db
            .read("conversations.list", move |session| {
                let place = place(session, "conversations")?;
                let sql = format!(
                    "SELECT id, title, created_at, updated_at,
                        (SELECT count(*) FROM messages WHERE conversation_id = conversations.id)
                    FROM conversations ORDER BY {place}, id LIMIT ?1 OFFSET ?2"
                );
                session.page(&sql, COUNT, &[], page, |columns| {
                    Ok(ConversationSummary {
                        id: columns.text()?,
                        title: columns.text()?,
                        created_at: columns.opt_time()?,
                        updated_at: columns.opt_time()?,
                        message_count: columns.count()?,
                    })
                })
            })
            .await
    }

    async fn update_title(
        &self,
        id: &str,
        title: Option<String>,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Conversation>> {
        const SQL: &str =
            "UPDATE conversations SET title = coalesce(?2, title), updated_at = ?3 WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .atomic("conversations.update_title", move |session| {
                session.execute(SQL, params![id, title, updated_at.to_sqlalchemy()])?;
                get(session, &id)
            })
            .await
    }

    async fn update(&self, conversation: &Conversation) -> StoreResult<bool> {
        const SQL: &str = "UPDATE conversations SET title = ?2, updated_at = ?3 WHERE id = ?1";
        const FORGET: &str = "DELETE FROM messages WHERE conversation_id = ?1";
        let conversation = conversation.clone();
        self.db
            .atomic("conversations.update", move |session| {
                let row = params![
                    conversation.id,
                    conversation.title,
                    opt_sql_time(conversation.updated_at.as_ref()),
                ];
                if session.execute(SQL, row)? == 0 {
                    return Ok(false);
                }
                session.execute(FORGET, [&conversation.id])?;
                insert_messages(session, &conversation.id, &conversation.messages)?;
                Ok(true)
            })
            .await
    }

    async fn append(&self, conversation_id: &str, message: &Message) -> StoreResult<()> {
        let (conversation_id, message) = (conversation_id.to_owned(), message.clone());
        self.db
            .atomic("conversations.append", move |session| {
                insert_messages(session, &conversation_id, std::slice::from_ref(&message))
            })
            .await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        // The key of the original's own files does not delete what refers to it.
        const MESSAGES: &str = "DELETE FROM messages WHERE conversation_id = ?1";
        const SQL: &str = "DELETE FROM conversations WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .atomic("conversations.delete", move |session| {
                session.execute(MESSAGES, [&id])?;
                Ok(session.execute(SQL, [&id])? > 0)
            })
            .await
    }
}
