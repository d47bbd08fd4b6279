DROP TRIGGER IF EXISTS messages_position;
DROP TRIGGER IF EXISTS conversations_position;
DROP INDEX IF EXISTS messages_position_idx;
ALTER TABLE messages DROP COLUMN position;
DROP INDEX IF EXISTS conversations_position_idx;
ALTER TABLE conversations DROP COLUMN position;
