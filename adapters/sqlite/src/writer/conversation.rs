//! Conversations and their messages.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{
    Conversation, ConversationSummary, Message, read_attachments, stored_attachments,
};
use cutover_ports::writer::{ConversationPage, ConversationPlace, ConversationRepository};
use cutover_ports::{StoreError, StoreResult};
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::opt_sql_time;
use crate::Database;
use crate::database::Session;
use crate::row::{Columns, opt_sql_number, sql_enum};

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

/// The places of a part of the list, from the first conversation on or behind a place; the conversations themselves, whose titles may be
/// long, would be sorted in memory. Those with a position and those without are looked up apart,
/// because each has an index for that, and the two together have none.
fn list_sql(session: &Session, is_behind: bool) -> StoreResult<String> {
    let part = |place: &str, which: &str| {
        let behind = format!("AND {place} >= ?2 AND ({place}, rowid) > (?2, ?3)");
        let behind = if is_behind { behind.as_str() } else { "" };
        format!(
            "SELECT * FROM (SELECT id, {place} AS place, rowid AS number
            FROM conversations WHERE {which} {behind} ORDER BY {place}, rowid LIMIT ?1)"
        )
    };
    if !session.has_column("conversations", "position")? {
        return Ok(part("rowid", "true"));
    }
    let (known, unknown) = (
        part("position", "position IS NOT NULL"),
        part("rowid", "position IS NULL"),
    );
    Ok(format!(
        "{known} UNION ALL {unknown} ORDER BY place, number LIMIT ?1"
    ))
}

fn place_from_row(columns: &mut Columns<'_>) -> StoreResult<ConversationPlace> {
    Ok(ConversationPlace {
        id: columns.text()?,
        position: columns.opt_integer()?,
        row: columns.opt_integer()?.and_then(|row| row.known().copied()),
        created_at: None,
    })
}

fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<ConversationSummary> {
    Ok(ConversationSummary {
        id: columns.text()?,
        title: columns.text()?,
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
        message_count: columns.count()?,
    })
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

    async fn list(&self, after: Option<ConversationPlace>, limit: u32) -> StoreResult<ConversationPage> {
        const SQL: &str = "SELECT id, title, created_at, updated_at,
                (SELECT count(*) FROM messages WHERE conversation_id = conversations.id)
            FROM conversations WHERE rowid = ?1";
        self.db
            .read("conversations.list", move |session| {
                let mut values = vec![Value::from(limit)];
                values.extend(after.iter().flat_map(|place| {
                    let position = opt_sql_number(place.position.as_ref());
                    [position, place.row.map_or(Value::Null, Value::from)]
                }));
                let sql = list_sql(session, after.is_some())?;
                let places = session.query(&sql, params_from_iter(values), place_from_row)?;
                let found = places.into_iter().map(|place| {
                    let item = session.query_opt(SQL, [place.row], summary_from_row)?;
                    Ok((place, item))
                });
                ConversationPage::of(found, limit)
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
        // The key of the original's own files does not delete what refers to it. Messages whose conversation is long gone stay
        // as they are.
        const MESSAGES: &str = "DELETE FROM messages
            WHERE conversation_id = ?1 AND EXISTS (SELECT 1 FROM conversations WHERE id = ?1)";
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
