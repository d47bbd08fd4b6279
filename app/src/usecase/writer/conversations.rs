//! Conversations.

use std::sync::Arc;

use cutover_domain::writer::conversation::Conversation;
use cutover_domain::writer::{is_uuid, uuid_text};
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::writer::{
    ConversationPage, ConversationPlace, ConversationRepository, WriterRepositories,
};

use crate::usecase::UseCaseError;

/// What can be done with conversations.
#[derive(Clone)]
pub struct Conversations {
    store: Arc<dyn ConversationRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Conversations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversations").finish_non_exhaustive()
    }
}

impl Conversations {
    /// On these repositories.
    pub fn new(writer: &WriterRepositories, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store: Arc::clone(&writer.conversations),
            clock,
            ids,
        }
    }

    /// At most `limit` conversations behind the place `after`, or from the first, in the order in which they were made.
    pub async fn list(
        &self,
        after: Option<ConversationPlace>,
        limit: u32,
    ) -> Result<ConversationPage, UseCaseError> {
        Ok(self.store.list(after, limit).await?)
    }

    /// Makes a conversation without messages.
    pub async fn create(&self, title: String) -> Result<Conversation, UseCaseError> {
        check_title(&title)?;
        let made = Conversation {
            id: uuid_text(&self.ids.hex(32)),
            title,
            // The original looks at the clock for each, so the second may be later.
            created_at: Some(self.clock.now().into()),
            updated_at: Some(self.clock.now().into()),
            messages: Vec::new(),
        };
        self.store.insert(&made).await?;
        Ok(made)
    }

    /// The conversation and its messages.
    pub async fn get(&self, id: &str) -> Result<Conversation, UseCaseError> {
        check_id(id)?;
        let found = self.store.get(id).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Gives the conversation another title, if there is one; that it was changed is noted in any case.
    pub async fn rename(&self, id: &str, title: Option<String>) -> Result<Conversation, UseCaseError> {
        check_id(id)?;
        // The original looks for the conversation before it looks at the title.
        if title.as_deref() == Some("") {
            self.get(id).await?;
        }
        title.as_deref().map_or(Ok(()), check_title)?;
        let now = self.clock.now();
        let changed = self.store.update_title(id, title, now).await?;
        changed.ok_or_else(|| unknown(id))
    }

    /// Deletes the conversation and its messages.
    pub async fn delete(&self, id: &str) -> Result<(), UseCaseError> {
        check_id(id)?;
        if self.store.delete(id).await? {
            Ok(())
        } else {
            Err(unknown(id))
        }
    }
}

fn unknown(id: &str) -> UseCaseError {
    UseCaseError::not_found("Conversation", id)
}

/// A blank title is one.
fn check_title(title: &str) -> Result<(), UseCaseError> {
    if title.is_empty() {
        return Err(UseCaseError::invalid("title", "Title cannot be empty"));
    }
    Ok(())
}

fn check_id(id: &str) -> Result<(), UseCaseError> {
    if is_uuid(id) {
        Ok(())
    } else {
        Err(UseCaseError::invalid("id", "Invalid UUID format"))
    }
}

#[cfg(test)]
mod tests {
    use cutover_domain::time::Timestamp;
    use cutover_ports::StoreError;
    use cutover_ports::clock::{MockClock, MockIds};
    use cutover_ports::writer::{MockConversationRepository, MockFileRepository};

    use super::*;

    const ID: &str = "01234567-89ab-4def-8123-456789abcdef";

    fn on(conversations: MockConversationRepository) -> Conversations {
        let writer = WriterRepositories {
            conversations: Arc::new(conversations),
            files: Arc::new(MockFileRepository::new()),
        };
        let (mut clock, mut ids) = (MockClock::new(), MockIds::new());
        clock.expect_now().return_const(Timestamp::EPOCH);
        ids.expect_hex()
            .withf(|count| *count == 32)
            .return_const("0123456789ab4def8123456789abcdef");
        Conversations::new(&writer, Arc::new(clock), Arc::new(ids))
    }

    #[tokio::test]
    async fn a_new_conversation_has_an_id_and_times_of_its_own() {
        let mut store = MockConversationRepository::new();
        store.expect_insert().times(1).returning(|made| {
            assert_eq!((made.id.as_str(), made.title.as_str()), (ID, " "));
            Ok(())
        });
        let made = on(store).create(" ".to_owned()).await.unwrap();
        assert_eq!(made.created_at, Some(Timestamp::EPOCH.into()));
        assert_eq!(made.messages, []);
    }

    #[tokio::test]
    async fn nothing_is_asked_of_the_store_for_what_breaks_a_rule() {
        let use_case = on(MockConversationRepository::new());
        let field = |error| match error {
            UseCaseError::Invalid { field, .. } => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(use_case.create(String::new()).await.unwrap_err()), "title");
        assert_eq!(field(use_case.get("x").await.unwrap_err()), "id");
        assert_eq!(
            field(use_case.rename("x", Some(String::new())).await.unwrap_err()),
            "id"
        );
        assert_eq!(field(use_case.delete("x").await.unwrap_err()), "id");
    }

    #[tokio::test]
    async fn an_empty_title_of_an_unknown_conversation_is_an_unknown_conversation() {
        let mut store = MockConversationRepository::new();
        store.expect_get().times(1).returning(|_| Ok(None));
        let error = on(store).rename(ID, Some(String::new())).await.unwrap_err();
        assert!(matches!(error, UseCaseError::NotFound { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_outage_stays_an_outage() {
        let mut store = MockConversationRepository::new();
        store
            .expect_update_title()
            .returning(|_, _, _| Err(StoreError::Unavailable("gone".into())));
        let error = on(store).rename(ID, None).await.unwrap_err();
        assert!(matches!(error, UseCaseError::Store(StoreError::Unavailable(_))));
    }
}
