-- Identity rules, numbers behind masks, formats of the user's own, checkpoints that know a copy, cursors.
ALTER TABLE settings ADD COLUMN masks TEXT NOT NULL DEFAULT 'none';
ALTER TABLE settings ADD COLUMN redact TEXT NOT NULL DEFAULT 'none';

CREATE TABLE rule_set (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CONSTRAINT kind_is_known CHECK (kind IN ('masks', 'redact'))
) STRICT, WITHOUT ROWID;

CREATE TABLE rule (
    set_name        TEXT    NOT NULL REFERENCES rule_set (name),
    position        INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    pattern         TEXT    NOT NULL,
    placeholder     TEXT    NOT NULL,
    example         TEXT    NOT NULL,
    counter_example TEXT    NOT NULL,
    contains        TEXT    NOT NULL,
    PRIMARY KEY (set_name, position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER rule_added_raises_generation AFTER INSERT ON rule BEGIN
    UPDATE store SET generation = generation + 1;
END;

CREATE TRIGGER rule_changed_raises_generation AFTER UPDATE ON rule BEGIN
    UPDATE store SET generation = generation + 1;
END;

CREATE TRIGGER rule_removed_raises_generation AFTER DELETE ON rule BEGIN
    UPDATE store SET generation = generation + 1;
END;

CREATE TABLE line_format (
    name    TEXT PRIMARY KEY,
    pattern TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE queue ADD COLUMN numbers TEXT;
ALTER TABLE archive ADD COLUMN numbers TEXT;

ALTER TABLE checkpoint ADD COLUMN tail_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE checkpoint ADD COLUMN masks TEXT NOT NULL DEFAULT 'none';
CREATE INDEX checkpoint_path ON checkpoint (path);

CREATE TABLE cursor (
    name     TEXT PRIMARY KEY,
    position TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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
    q.first_attributes, q.last_attributes
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
    a.first_attributes, a.last_attributes
FROM archive AS a CROSS JOIN content AS c ON c.id = a.content_id;

PRAGMA user_version = 1001;
