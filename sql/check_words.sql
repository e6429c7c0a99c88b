-- Search contents by words; an error says what is wrong with them.
-- :words (a query of FTS5)
SELECT rowid FROM content_text WHERE content_text MATCH :words LIMIT 1;
