//! The repositories of silmari-writer, one file each.

pub mod conversation;
pub mod file;

#[cfg(feature = "mock")]
pub use conversation::MockConversationRepository;
pub use conversation::{ConversationPage, ConversationPlace, ConversationRepository, TITLES_MAX};
#[cfg(feature = "mock")]
pub use file::MockFileRepository;
pub use file::{FilePage, FileRepository};

use std::sync::Arc;

/// The writer's repositories, each on whatever backend routing chose for it.
#[derive(Clone)]
pub struct WriterRepositories {
    /// Conversations with their messages.
    pub conversations: Arc<dyn ConversationRepository>,
    /// What is known of uploaded files.
    pub files: Arc<dyn FileRepository>,
}

impl std::fmt::Debug for WriterRepositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterRepositories").finish_non_exhaustive()
    }
}
