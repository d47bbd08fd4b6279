-- The order in which conversations and messages were stored. Their times cannot tell it: there are ties, and NULLs.

ALTER TABLE conversations ADD COLUMN position bigint;
UPDATE conversations SET position = numbered.position
FROM (SELECT id, row_number() OVER (ORDER BY created_at NULLS FIRST, id) AS position FROM conversations) AS numbered
WHERE numbered.id = conversations.id;
CREATE INDEX conversations_position_idx ON conversations (position);

ALTER TABLE messages ADD COLUMN position bigint;
UPDATE messages SET position = numbered.position
FROM (SELECT id, row_number() OVER (ORDER BY created_at NULLS FIRST, id) AS position FROM messages) AS numbered
WHERE numbered.id = messages.id;
CREATE INDEX messages_position_idx ON messages (position);
