-- Children before parents. IF EXISTS, because this also undoes a run that was killed half-way.

DROP TABLE IF EXISTS messages;
DROP TABLE IF EXISTS conversations;
DROP TABLE IF EXISTS file_metadata;
