-- Attributes of the last record are kept only where they differ from those of the first.
DROP TRIGGER archive_refuses_update;

UPDATE archive SET last_attributes = iif(last_attributes IS first_attributes, NULL, coalesce(last_attributes, 'null'))
WHERE first_attributes IS NOT NULL;

CREATE TRIGGER archive_refuses_update BEFORE UPDATE ON archive BEGIN
    SELECT RAISE(ABORT, 'archive is append-only');
END;

UPDATE queue SET last_attributes = iif(last_attributes IS first_attributes, NULL, coalesce(last_attributes, 'null'))
WHERE first_attributes IS NOT NULL;

DROP VIEW episode;

CREATE VIEW episode AS  -- one row an episode, open or closed;

PRAGMA user_version = 1003;
