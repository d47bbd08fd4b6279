-- The tables of silmari-writer's own plan, as its models make them: types, defaults and the name of the index included.
-- Deleting a conversation deletes its messages first; the key itself does not, as in files that the plan's models made.

CREATE TABLE file_metadata (
    id           VARCHAR NOT NULL PRIMARY KEY,
    filename     VARCHAR NOT NULL,
    content_type VARCHAR NOT NULL,
    size         INTEGER NOT NULL,
    created_at   DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ix_file_metadata_created_at ON file_metadata (created_at);

CREATE TABLE conversations (
    id         VARCHAR NOT NULL PRIMARY KEY,
    title      VARCHAR NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ix_conversations_created_at ON conversations (created_at);

CREATE TABLE messages (
    id              VARCHAR NOT NULL PRIMARY KEY,
    conversation_id VARCHAR NOT NULL REFERENCES conversations (id),
    role            VARCHAR NOT NULL,
    content         TEXT NOT NULL,
    created_at      DATETIME DEFAULT CURRENT_TIMESTAMP,
    attachments     JSON CHECK (attachments IS NULL OR json_valid(attachments))
);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
