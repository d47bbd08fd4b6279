-- The order in which conversations and messages were stored. Their times cannot tell it: there are ties, and NULLs.
-- NULL is a row that a program wrote which does not know the column; its rowid stands in.

ALTER TABLE conversations ADD COLUMN position INTEGER;
UPDATE conversations SET position = rowid;
CREATE INDEX conversations_position_idx ON conversations (position);

ALTER TABLE messages ADD COLUMN position INTEGER;
UPDATE messages SET position = rowid;
CREATE INDEX messages_position_idx ON messages (position);
