//! Conversations and their messages.

use async_trait::async_trait;
use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{Conversation, ConversationSummary, Message};

use crate::StoreResult;

/// Where a conversation stands in the list. The place is there even when the conversation is deleted; to another store it means
/// nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationPlace {
    /// Its position, or what stands in for one. `None` is behind all others.
    pub position: Option<Stored<i64>>,
    /// The number of its row, where rows have one: it decides between equal positions, and the rest of the place does not matter.
    pub row: Option<i64>,
    /// When it was made, which decides next. `None` is before all others.
    pub created_at: Option<Stored<Timestamp>>,
    /// Its id, which decides last.
    pub id: String,
}

/// Some of the conversations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConversationPage {
    /// What the list shows of them.
    pub items: Vec<ConversationSummary>,
    /// The place behind which to go on, unless no conversation can stand there.
    pub next: Option<ConversationPlace>,
}

/// A page ends with the conversation with which its titles come to so many bytes: few titles are long, but one may be megabytes.
pub const TITLES_MAX: usize = 256 * 1024;

impl ConversationPage {
    /// Of the conversations from a place on, at most `limit`; one that was deleted while it was looked for has its place alone. No more
    /// are taken of `found` than the page holds.
    pub fn of(
        found: impl IntoIterator<Item = StoreResult<(ConversationPlace, Option<ConversationSummary>)>>,
        limit: u32,
    ) -> StoreResult<Self> {
        let (mut page, mut places, mut bytes) = (Self::default(), 0, 0);
        for found in found {
            let (place, item) = found?;
            places += 1;
            bytes += item.as_ref().map_or(0, |item| item.title.len());
            page.items.extend(item);
            if places == limit || bytes >= TITLES_MAX {
                page.next = Some(place);
                break;
            }
        }
        Ok(page)
    }
}

/// Conversations (`conversations`) with their messages (`messages`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ConversationRepository: Send + Sync {
    /// Stores a new conversation behind all others, with its messages in their order. A taken id is
    /// `Conflict("conversations.id")` or `Conflict("messages.id")`, and nothing is stored.
    async fn insert(&self, conversation: &Conversation) -> StoreResult<()>;

    /// The conversation with its messages in the order in which they were stored, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<Conversation>>;

    /// At most `limit` conversations behind the place `after`, or from the first, in the order in which they were stored, whatever
    /// their times say, up to the one with which their titles come to [`TITLES_MAX`] bytes; a change moves none. Whoever goes on from each place to the next meets every conversation that is there all
    /// the while, and meets it once, whatever is stored, changed or deleted meanwhile.
    async fn list(&self, after: Option<ConversationPlace>, limit: u32) -> StoreResult<ConversationPage>;

    /// Gives the conversation this title, if there is one, and this time of the last change; the conversation as it is now,
    /// `None` if there is none.
    async fn update_title(
        &self,
        id: &str,
        title: Option<String>,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Conversation>>;

    /// Stores title, time of the last change and messages in place of those that are stored; `false` if there is no such
    /// conversation. A message whose id another conversation has is `Conflict("messages.id")`, and nothing is changed.
    async fn update(&self, conversation: &Conversation) -> StoreResult<bool>;

    /// Stores a message behind the others. A taken id is `Conflict("messages.id")`; without the conversation it is
    /// `Missing("conversations")`.
    async fn append(&self, conversation_id: &str, message: &Message) -> StoreResult<()>;

    /// Deletes the conversation and its messages. `false` if there is none.
    async fn delete(&self, id: &str) -> StoreResult<bool>;
}
