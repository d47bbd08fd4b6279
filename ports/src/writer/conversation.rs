//! Conversations and their messages.

use async_trait::async_trait;
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{Conversation, ConversationSummary, Message};

use crate::{Page, PageRequest, StoreResult};

/// Conversations (`conversations`) with their messages (`messages`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ConversationRepository: Send + Sync {
    /// Stores a new conversation behind all others, with its messages in their order. A taken id is
    /// `Conflict("conversations.id")` or `Conflict("messages.id")`, and nothing is stored.
    async fn insert(&self, conversation: &Conversation) -> StoreResult<()>;

    /// The conversation with its messages in the order in which they were stored, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<Conversation>>;

    /// In the order in which they were stored, whatever their times say; a change moves none.
    async fn list(&self, page: PageRequest) -> StoreResult<Page<ConversationSummary>>;

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
