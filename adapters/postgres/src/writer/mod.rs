//! The writer's repositories on PostgreSQL, one file each.

pub mod conversation;
pub mod file;

use std::sync::Arc;

use cutover_ports::writer::WriterRepositories;

use crate::Database;

/// Every repository of the writer on `db`.
pub fn repositories(db: &Database) -> WriterRepositories {
    WriterRepositories {
        conversations: Arc::new(conversation::PgConversationRepository::new(db.clone())),
        files: Arc::new(file::PgFileRepository::new(db.clone())),
    }
}
