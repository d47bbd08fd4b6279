//! Conversations and their messages.

use async_trait::async_trait;
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{
    Conversation, ConversationSummary, Message, read_attachments, stored_attachments,
};
use cutover_ports::writer::{ConversationPage, ConversationPlace, ConversationRepository, TITLES_MAX};
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::database::Lease;
use crate::row::{Columns, Row, opt_known, opt_pg_time, pg_enum};
use crate::types::{PgJson, PgTime};

/// [`ConversationRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgConversationRepository {
    db: Database,
}

impl PgConversationRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// A conversation out of `c` and one of its messages, if it has any. The title, which may be long, comes once. Where a file's
/// rows had no positions their times must do.
macro_rules! conversation_sql {
    ($conversations:literal) => {
        concat!(
            "SELECT c.id, CASE WHEN row_number() OVER message = 1 THEN c.title END, c.created_at, c.updated_at,
                m.id, m.role, m.content, m.created_at, m.attachments
            FROM ",
            $conversations,
            " AS c LEFT JOIN messages AS m ON m.conversation_id = c.id
            WHERE c.id = $1
            WINDOW message AS (ORDER BY m.position NULLS LAST, m.created_at NULLS FIRST, m.id)
            ORDER BY m.position NULLS LAST, m.created_at NULLS FIRST, m.id"
        )
    };
}

fn conversation_from_rows(rows: &[Row]) -> StoreResult<Option<Conversation>> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut columns = Columns::new("conversations", first);
    Ok(Some(Conversation {
        id: columns.text()?,
        title: columns.text()?,
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
        messages: rows
            .iter()
            .filter_map(|row| message_from_row(row).transpose())
            .collect::<StoreResult<_>>()?,
    }))
}

/// Reads the columns behind the conversation's.
fn message_from_row(row: &Row) -> StoreResult<Option<Message>> {
    let mut columns = Columns::starting_at("messages", row, 4);
    let Some(id) = columns.opt_text()? else {
        return Ok(None);
    };
    Ok(Some(Message {
        id,
        role: columns.text_enum()?,
        content: columns.text()?,
        created_at: columns.opt_time()?,
        attachments: read_attachments(columns.opt_json()?.as_ref()),
    }))
}

/// The order of the list.
macro_rules! list_order {
    () => {
        "ORDER BY position NULLS LAST, coalesce(created_at, '-infinity'), id"
    };
}

/// The first rows of those for which the condition holds.
macro_rules! rows_sql {
    ($condition:literal) => {
        concat!(
            "SELECT id, title, created_at, updated_at, position FROM conversations WHERE ",
            $condition,
            " ",
            list_order!(),
            " LIMIT $1"
        )
    };
}

/// What the list shows of the first of these rows, up to the one with which their titles come to $2 bytes. How long a title is can be told
/// without reading it.
macro_rules! list_sql {
    ($($rows:expr),+) => {
        concat!(
            "SELECT id, title, created_at, updated_at,
                (SELECT count(*) FROM messages WHERE conversation_id = listed.id), position
            FROM (SELECT *, sum(octet_length(title))
                    OVER (",
            list_order!(),
            " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
                FROM (",
            $($rows,)+
            ") AS found) AS listed
            WHERE coalesce(bytes_before, 0) < $2 ",
            list_order!()
        )
    };
}

fn placed(row: &Row) -> StoreResult<(ConversationPlace, Option<ConversationSummary>)> {
    let mut columns = Columns::new("conversations", row);
    let item = ConversationSummary {
        id: columns.text()?,
        title: columns.text()?,
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
        message_count: columns.count()?,
    };
    let place = ConversationPlace {
        position: columns.opt_integer()?,
        row: None,
        created_at: item.created_at.clone(),
        id: item.id.clone(),
    };
    Ok((place, Some(item)))
}

/// The columns of messages, as arrays.
struct MessageColumns {
    ids: Vec<String>,
    roles: Vec<String>,
    contents: Vec<String>,
    created_at: Vec<Option<PgTime>>,
    attachments: Vec<Option<PgJson>>,
}

impl MessageColumns {
    fn of(messages: &[Message]) -> StoreResult<Self> {
        let attachments = |message: &Message| {
            let stored = stored_attachments(&message.attachments).map_err(|other| {
                StoreError::invalid("messages.attachments", format!("{other:?} is no document"))
            })?;
            Ok(stored.map(PgJson))
        };
        Ok(Self {
            ids: messages.iter().map(|message| message.id.clone()).collect(),
            roles: messages
                .iter()
                .map(|message| pg_enum("messages.role", &message.role))
                .collect::<StoreResult<_>>()?,
            contents: messages.iter().map(|message| message.content.clone()).collect(),
            created_at: messages
                .iter()
                .map(|message| opt_pg_time("messages.created_at", message.created_at.as_ref()))
                .collect::<StoreResult<_>>()?,
            attachments: messages.iter().map(attachments).collect::<StoreResult<_>>()?,
        })
    }

    /// Stores them behind all others: the column's default numbers rows as they come. Of two that are stored at once either may be the
    /// first.
    async fn insert(&self, lease: &Lease, conversation_id: &str) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO messages (id, conversation_id, role, content, created_at, attachments)
            SELECT m.id, $1, m.role, m.content, m.created_at, m.attachments
            FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[]) WITH ORDINALITY
                AS m (id, role, content, created_at, attachments, ordinality)
            ORDER BY m.ordinality";
        let binds: [(&(dyn postgres_types::ToSql + Sync), Type); 6] = [
            (&conversation_id, Type::TEXT),
            (&self.ids, Type::TEXT_ARRAY),
            (&self.roles, Type::TEXT_ARRAY),
            (&self.contents, Type::TEXT_ARRAY),
            (&self.created_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.attachments, Type::JSONB_ARRAY),
        ];
        lease.execute(SQL, &binds).await.map(drop)
    }
}

#[async_trait]
impl ConversationRepository for PgConversationRepository {
    async fn insert(&self, conversation: &Conversation) -> StoreResult<()> {
        const SQL: &str = "WITH made AS (
                INSERT INTO conversations (id, title, created_at, updated_at) VALUES ($1, $2, $3, $4)
            )
            INSERT INTO messages (id, conversation_id, role, content, created_at, attachments)
            SELECT m.id, $1, m.role, m.content, m.created_at, m.attachments
            FROM unnest($5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::jsonb[]) WITH ORDINALITY
                AS m (id, role, content, created_at, attachments, ordinality)
            ORDER BY m.ordinality";
        let created_at = opt_pg_time("conversations.created_at", conversation.created_at.as_ref())?;
        let updated_at = opt_pg_time("conversations.updated_at", conversation.updated_at.as_ref())?;
        let messages = MessageColumns::of(&conversation.messages)?;
        let lease = self.db.lease("conversations.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&conversation.id, Type::TEXT),
                    (&conversation.title, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&updated_at, Type::TIMESTAMPTZ),
                    (&messages.ids, Type::TEXT_ARRAY),
                    (&messages.roles, Type::TEXT_ARRAY),
                    (&messages.contents, Type::TEXT_ARRAY),
                    (&messages.created_at, Type::TIMESTAMPTZ_ARRAY),
                    (&messages.attachments, Type::JSONB_ARRAY),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Conversation>> {
        const SQL: &str = conversation_sql!("conversations");
        let lease = self.db.lease("conversations.get").await?;
        conversation_from_rows(&lease.query(SQL, &[(&id, Type::TEXT)]).await?)
    }

    async fn list(&self, after: Option<ConversationPlace>, limit: u32) -> StoreResult<ConversationPage> {
        const FIRST: &str = list_sql!(rows_sql!("true"));
        // Two lists, each with an index to begin in.
        const AFTER: &str = list_sql!(
            "SELECT * FROM ((",
            rows_sql!(
                "(position, coalesce(created_at, '-infinity'), id) > ($3, coalesce($4, '-infinity'), $5)"
            ),
            ") UNION ALL (",
            rows_sql!("position IS NULL"),
            ")) AS both_lists ",
            list_order!(),
            " LIMIT $1"
        );
        const AFTER_TIME: &str = list_sql!(rows_sql!(
            "position IS NULL AND (coalesce(created_at, '-infinity'), id) > (coalesce($3, '-infinity'), $4)"
        ));
        let rows_max = i64::from(limit);
        let bytes_max = i64::try_from(TITLES_MAX).unwrap_or(i64::MAX);
        let (rows_max, bytes_max) = ((&rows_max as _, Type::INT8), (&bytes_max as _, Type::INT8));
        let lease = self.db.lease("conversations.list").await?;
        let rows = match after {
            None => lease.query(FIRST, &[rows_max, bytes_max]).await?,
            Some(after) => {
                let position = opt_known("conversations.position", after.position.as_ref())?;
                let created_at = opt_pg_time("conversations.created_at", after.created_at.as_ref())?;
                let (created_at, id) = (
                    (&created_at as _, Type::TIMESTAMPTZ),
                    (&after.id as _, Type::TEXT),
                );
                if let Some(position) = position {
                    let position = (&position as _, Type::INT8);
                    let binds = [rows_max, bytes_max, position, created_at, id];
                    lease.query(AFTER, &binds).await?
                } else {
                    let binds = [rows_max, bytes_max, created_at, id];
                    lease.query(AFTER_TIME, &binds).await?
                }
            }
        };
        ConversationPage::of(rows.iter().map(placed), limit)
    }

    async fn update_title(
        &self,
        id: &str,
        title: Option<String>,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Conversation>> {
        const SQL: &str = concat!(
            "WITH changed AS (
                UPDATE conversations SET title = coalesce($2, title), updated_at = $3 WHERE id = $1
                RETURNING id, title, created_at, updated_at
            ) ",
            conversation_sql!("changed")
        );
        let lease = self.db.lease("conversations.update_title").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&title, Type::TEXT),
                    (&PgTime(updated_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        conversation_from_rows(&rows)
    }

    async fn update(&self, conversation: &Conversation) -> StoreResult<bool> {
        const SQL: &str = "UPDATE conversations SET title = $2, updated_at = $3 WHERE id = $1";
        const FORGET: &str = "DELETE FROM messages WHERE conversation_id = $1";
        let updated_at = opt_pg_time("conversations.updated_at", conversation.updated_at.as_ref())?;
        let messages = MessageColumns::of(&conversation.messages)?;
        let id = &conversation.id;
        let transaction = self.db.begin("conversations.update").await?;
        let work = async {
            let row: [(&(dyn postgres_types::ToSql + Sync), Type); 3] = [
                (id, Type::TEXT),
                (&conversation.title, Type::TEXT),
                (&updated_at, Type::TIMESTAMPTZ),
            ];
            if transaction.execute(SQL, &row).await? == 0 {
                return Ok(false);
            }
            transaction.execute(FORGET, &[(id, Type::TEXT)]).await?;
            messages.insert(&transaction, id).await?;
            Ok(true)
        };
        let outcome = work.await;
        transaction.finish(outcome).await
    }

    async fn append(&self, conversation_id: &str, message: &Message) -> StoreResult<()> {
        let messages = MessageColumns::of(std::slice::from_ref(message))?;
        let lease = self.db.lease("conversations.append").await?;
        messages.insert(&lease, conversation_id).await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM conversations WHERE id = $1";
        let lease = self.db.lease("conversations.delete").await?;
        Ok(lease.execute(SQL, &[(&id, Type::TEXT)]).await? > 0)
    }
}
