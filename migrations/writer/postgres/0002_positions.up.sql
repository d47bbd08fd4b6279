-- The order in which conversations and messages were stored. Their times cannot tell it: there are ties, and NULLs.
-- A program that does not know the column writes rows without it; they get the next number, so that they keep their place.
-- No identity, because that would refuse the rows of a file that have no position.

ALTER TABLE conversations ADD COLUMN position bigint;
UPDATE conversations SET position = numbered.position
FROM (SELECT id, row_number() OVER (ORDER BY created_at NULLS FIRST, id) AS position FROM conversations) AS numbered
WHERE numbered.id = conversations.id;
CREATE INDEX conversations_position_idx ON conversations (position);
CREATE SEQUENCE conversations_position_seq OWNED BY conversations.position;
SELECT setval('conversations_position_seq', 1 + coalesce(max(position), 0), false) FROM conversations;
ALTER TABLE conversations ALTER COLUMN position SET DEFAULT nextval('conversations_position_seq');

ALTER TABLE messages ADD COLUMN position bigint;
UPDATE messages SET position = numbered.position
FROM (SELECT id, row_number() OVER (ORDER BY created_at NULLS FIRST, id) AS position FROM messages) AS numbered
WHERE numbered.id = messages.id;
CREATE INDEX messages_position_idx ON messages (position);
CREATE SEQUENCE messages_position_seq OWNED BY messages.position;
SELECT setval('messages_position_seq', 1 + coalesce(max(position), 0), false) FROM messages;
ALTER TABLE messages ALTER COLUMN position SET DEFAULT nextval('messages_position_seq');
