-- The order in which conversations and messages were stored. Their times cannot tell it: there are ties, and NULLs.
-- A program that does not know the column writes rows without it; they get their rowids, so that a copy has the order too.

ALTER TABLE conversations ADD COLUMN position INTEGER;
UPDATE conversations SET position = rowid;
CREATE INDEX conversations_position_idx ON conversations (position);
CREATE TRIGGER conversations_position AFTER INSERT ON conversations WHEN NEW.position IS NULL BEGIN
    UPDATE conversations SET position = rowid WHERE rowid = NEW.rowid;
END;

ALTER TABLE messages ADD COLUMN position INTEGER;
UPDATE messages SET position = rowid;
CREATE INDEX messages_position_idx ON messages (position);
CREATE TRIGGER messages_position AFTER INSERT ON messages WHEN NEW.position IS NULL BEGIN
    UPDATE messages SET position = rowid WHERE rowid = NEW.rowid;
END;
