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

CREATE VIEW episode AS  -- one row an episode, open or closed; filter by last_us or content_id (first_us >= x: say last_us >= x too)
SELECT
    q.id, 'open' AS state,
    strftime('%Y-%m-%d %H:%M:%S', q.first_us / 1000000, 'unixepoch') || printf('.%06d', q.first_us % 1000000) AS first_seen,
    strftime('%Y-%m-%d %H:%M:%S', q.last_us / 1000000, 'unixepoch') || printf('.%06d', q.last_us % 1000000) AS last_seen,
    q.count, c.level, c.level_name, c.source, c.message, q.gap_min_ms, q.gap_max_ms,
    coalesce(q.first_text, c.message) AS first_text, coalesce(q.last_text, q.first_text, c.message) AS last_text,
    CAST(NULL AS TEXT) AS reason,  -- a bare NULL here keeps SQLite from using indexes through the view
    q.first_us, q.last_us, q.content_id, lower(hex(c.hash)) AS content_hash, q.continues,
    q.first_attributes, nullif(coalesce(q.last_attributes, q.first_attributes), 'null') AS last_attributes
FROM queue AS q CROSS JOIN content AS c ON c.id = q.content_id
UNION ALL
SELECT
    a.id, 'closed',
    strftime('%Y-%m-%d %H:%M:%S', a.first_us / 1000000, 'unixepoch') || printf('.%06d', a.first_us % 1000000),
    strftime('%Y-%m-%d %H:%M:%S', a.last_us / 1000000, 'unixepoch') || printf('.%06d', a.last_us % 1000000),
    a.count, c.level, c.level_name, c.source, c.message, a.gap_min_ms, a.gap_max_ms,
    coalesce(a.first_text, c.message), coalesce(a.last_text, a.first_text, c.message),
    a.reason,
    a.first_us, a.last_us, a.content_id, lower(hex(c.hash)), a.continues,
    a.first_attributes, nullif(coalesce(a.last_attributes, a.first_attributes), 'null')
FROM archive AS a CROSS JOIN content AS c ON c.id = a.content_id;

PRAGMA user_version = 1003;
