-- The tables of silmari-writer's plan for PostgreSQL. Sizes are 64 bits wide, because uploads have no limit of 2 GiB;
-- times are instants; attachments can be searched. Ids are text: the original accepts any.
--
-- Text is COLLATE "C", so that it sorts by bytes as in SQLite. Constraints are named, because the adapter tells
-- conflicts apart by their names.

CREATE TABLE file_metadata (
    id           text COLLATE "C" NOT NULL,
    filename     text COLLATE "C" NOT NULL,
    content_type text COLLATE "C" NOT NULL,
    size         bigint NOT NULL,
    created_at   timestamptz DEFAULT now(),
    CONSTRAINT file_metadata_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_file_metadata_created_at ON file_metadata (created_at);

CREATE TABLE conversations (
    id         text COLLATE "C" NOT NULL,
    title      text COLLATE "C" NOT NULL,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    CONSTRAINT conversations_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_conversations_created_at ON conversations (created_at);

CREATE TABLE messages (
    id              text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    role            text COLLATE "C" NOT NULL,
    content         text COLLATE "C" NOT NULL,
    created_at      timestamptz DEFAULT now(),
    attachments     jsonb,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id)
        REFERENCES conversations (id) ON DELETE CASCADE
);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
