-- The sequences go with their columns.

DROP INDEX IF EXISTS messages_position_idx;
ALTER TABLE messages DROP COLUMN IF EXISTS position;
DROP INDEX IF EXISTS conversations_position_idx;
ALTER TABLE conversations DROP COLUMN IF EXISTS position;
