-- The whole file format of logstore, read top to bottom. Everything here runs in stock SQLite 3.40.1.
-- Times are microseconds since the epoch, UTC (*_us); gaps are milliseconds (*_ms).

PRAGMA application_id = 1282369363;  -- 0x4C6F6753, "LogS"
PRAGMA user_version = 1002;          -- major * 1000 + minor

CREATE TABLE settings (  -- what changes what is stored; one row; change it with `logstore config set`
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    window_ms   INTEGER NOT NULL,    -- T: the longest silence inside an episode
    max_span_ms INTEGER NOT NULL,    -- S: the longest time one episode may cover; 0 = off
    max_open    INTEGER NOT NULL,    -- how many episodes the queue may hold
    masks       TEXT    NOT NULL DEFAULT 'none',  -- the set of identity rules that records get; 'none': exact content
    redact      TEXT    NOT NULL DEFAULT 'none',  -- the set that scrubs secrets before anything is stored
    CONSTRAINT window_is_a_duration CHECK (window_ms >= 0),
    CONSTRAINT max_span_is_off_or_at_least_window CHECK (max_span_ms = 0 OR max_span_ms >= window_ms),
    CONSTRAINT max_open_is_positive CHECK (max_open > 0)
) STRICT;

CREATE TABLE store (  -- what this file is, and the counters that every writer shares; one row
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    store_id   TEXT    NOT NULL,
    host       TEXT    NOT NULL,            -- where the file was created
    created_us INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,  -- rises with the settings, for caches of what they say
    next_id    INTEGER NOT NULL DEFAULT 1,  -- the id of the next episode; ids are never reused
    open_count INTEGER NOT NULL DEFAULT 0,  -- rows in the queue
    longest_us INTEGER NOT NULL DEFAULT 0,  -- no episode covers more; bounds a search by time range
    swept_us   INTEGER NOT NULL DEFAULT 0,  -- when a sweep last looked at everything due
    horizon_us INTEGER NOT NULL DEFAULT 0,  -- retention may delete what was last seen before this
    pruned     INTEGER NOT NULL DEFAULT 0   -- records that retention deleted
) STRICT;

CREATE TRIGGER settings_raise_generation AFTER UPDATE ON settings BEGIN
    UPDATE store SET generation = generation + 1;
END;

CREATE TRIGGER settings_refuse_delete BEFORE DELETE ON settings BEGIN
    SELECT RAISE(ABORT, 'a store without settings is none');
END;

CREATE TRIGGER store_refuses_delete BEFORE DELETE ON store BEGIN
    SELECT RAISE(ABORT, 'a store without its row is none');
END;

CREATE TRIGGER store_horizon_only_rises BEFORE UPDATE OF horizon_us ON store
WHEN NEW.horizon_us < OLD.horizon_us BEGIN
    SELECT RAISE(ABORT, 'the horizon never goes back');
END;

CREATE TABLE rule_set (  -- identity rules ('masks') and rules that scrub secrets ('redact'), by name
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CONSTRAINT kind_is_known CHECK (kind IN ('masks', 'redact'))
) STRICT, WITHOUT ROWID;

CREATE TABLE rule (  -- the rules of a set, in order: what of a message is hidden before it is compared
    set_name        TEXT    NOT NULL REFERENCES rule_set (name),
    position        INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    pattern         TEXT    NOT NULL,  -- a regular expression of Python's `re`
    placeholder     TEXT    NOT NULL,  -- stands for what the pattern, or its group `hide`, matched
    example         TEXT    NOT NULL,  -- a message that it changes
    counter_example TEXT    NOT NULL,  -- a message that it leaves alone
    contains        TEXT    NOT NULL,  -- only messages with this text are looked at; '': all
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

CREATE TABLE line_format (  -- formats of the user's own: a regular expression with named groups
    name    TEXT PRIMARY KEY,
    pattern TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE content (  -- each distinct log once: source, level and message
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused, so that no cached id can go stale
    hash       BLOB    NOT NULL UNIQUE,            -- SHA-256 of source U+001F level name U+001F message
    source     TEXT    NOT NULL,                   -- 'host/program'
    level      INTEGER NOT NULL,                   -- syslog severity, 0 emergency .. 7 debug
    message    TEXT    NOT NULL,                   -- after the identity rules
    level_name TEXT    NOT NULL GENERATED ALWAYS AS (
        CASE level
            WHEN 0 THEN 'emergency' WHEN 1 THEN 'alert'  WHEN 2 THEN 'critical' WHEN 3 THEN 'error'
            WHEN 4 THEN 'warning'   WHEN 5 THEN 'notice' WHEN 6 THEN 'info'     WHEN 7 THEN 'debug'
        END) VIRTUAL,
    CONSTRAINT hash_is_sha256 CHECK (length(hash) = 32),
    CONSTRAINT level_is_a_severity CHECK (level BETWEEN 0 AND 7)
) STRICT;

CREATE VIRTUAL TABLE content_text USING fts5 (  -- the words of each content: ... WHERE content_text MATCH 'p_web AND "not running"'
    source, message,
    content = 'content', content_rowid = 'id',  -- no text is stored twice
    columnsize = 0                              -- an eighth smaller; ORDER BY rank is slower
);

CREATE TRIGGER content_added_to_text AFTER INSERT ON content BEGIN
    INSERT INTO content_text (rowid, source, message) VALUES (NEW.id, NEW.source, NEW.message);
END;

CREATE TRIGGER content_removed_from_text AFTER DELETE ON content BEGIN
    INSERT INTO content_text (content_text, rowid, source, message)
    VALUES ('delete', OLD.id, OLD.source, OLD.message);
END;

CREATE TABLE queue (  -- open episodes, at most one a content; the head is the newest last_us
    content_id       INTEGER PRIMARY KEY REFERENCES content (id),
    content_hash     BLOB    NOT NULL UNIQUE,  -- the key of the UPSERT
    id               INTEGER NOT NULL,         -- the episode's id, the same later in the archive
    run_id           INTEGER NOT NULL,         -- id of the first part of its run; its own when it continues none
    continues        INTEGER,                  -- id of the episode that reached the max span and goes on here
    prior_count      INTEGER NOT NULL,         -- records in the earlier parts of its run
    first_us         INTEGER NOT NULL,
    last_us          INTEGER NOT NULL,
    count            INTEGER NOT NULL,
    gap_min_ms       INTEGER,
    gap_max_ms       INTEGER,
    first_text       TEXT,                     -- raw text at first_us; NULL = the message itself
    last_text        TEXT,                     -- raw text at last_us; NULL = the first text
    first_attributes TEXT,                     -- JSON
    last_attributes  TEXT,
    received_us      INTEGER NOT NULL,         -- the clock when its latest record was received
    receipt          INTEGER NOT NULL,         -- order of receipt within received_us
    numbers          TEXT,                     -- JSON: of each masked number its min, max, sum, count, last, max_text
    CONSTRAINT count_is_positive CHECK (count > 0),
    CONSTRAINT first_is_not_after_last CHECK (first_us <= last_us)
) STRICT;

CREATE INDEX queue_last ON queue (last_us);
CREATE INDEX queue_received ON queue (received_us, receipt);

CREATE TABLE archive (  -- closed episodes, append-only
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,  -- append order
    id               INTEGER NOT NULL UNIQUE,
    content_id       INTEGER NOT NULL REFERENCES content (id),
    run_id           INTEGER NOT NULL,
    continues        INTEGER,
    first_us         INTEGER NOT NULL,
    last_us          INTEGER NOT NULL,
    count            INTEGER NOT NULL,
    gap_min_ms       INTEGER,
    gap_max_ms       INTEGER,
    first_text       TEXT,
    last_text        TEXT,
    first_attributes TEXT,
    last_attributes  TEXT,
    reason           TEXT NOT NULL,
    numbers          TEXT,
    CONSTRAINT count_is_positive CHECK (count > 0),
    CONSTRAINT first_is_not_after_last CHECK (first_us <= last_us),
    CONSTRAINT reason_is_known CHECK (reason IN ('gap', 'span', 'evicted'))
) STRICT;

-- None on first_us: SQLite would take it for `last_us >= x AND first_us < y`, and walk all before y.
CREATE INDEX archive_last ON archive (last_us);
CREATE INDEX archive_content ON archive (content_id, last_us);
CREATE INDEX archive_run ON archive (run_id) WHERE continues IS NOT NULL;  -- the later parts of a run, in order

CREATE TABLE total (  -- what the archive holds of each content, so that view `log` never counts it
    content_id INTEGER PRIMARY KEY REFERENCES content (id),
    count      INTEGER NOT NULL,
    episodes   INTEGER NOT NULL,
    first_us   INTEGER NOT NULL,
    last_us    INTEGER NOT NULL,
    gap_min_ms INTEGER,
    gap_max_ms INTEGER
) STRICT;

CREATE INDEX total_last ON total (last_us);
CREATE INDEX total_first ON total (first_us);

CREATE TABLE ledger (  -- the highest batch of each writer: a batch sent again is recognised
    writer   TEXT    PRIMARY KEY,
    sequence INTEGER NOT NULL CONSTRAINT sequence_starts_at_one CHECK (sequence > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (  -- how far each input file was read; commits with the rows it gave
    device     INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    head_bytes INTEGER NOT NULL,  -- how many first bytes head_hash covers
    head_hash  BLOB    NOT NULL,  -- SHA-256 of them: the same inode may be another file tomorrow
    offset     INTEGER NOT NULL,  -- bytes whose records are in this store
    path       TEXT    NOT NULL,  -- the name it last had
    context    TEXT    NOT NULL,  -- JSON: format and header to go on from
    tail_hash  BLOB    NOT NULL DEFAULT x'',    -- SHA-256 of the bytes right before offset: a copy has them, too
    masks      TEXT    NOT NULL DEFAULT 'none', -- the set of identity rules that its records get
    PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoint_path ON checkpoint (path);  -- a file that was rotated away is found by its name

CREATE TABLE cursor (  -- how far each stream was read, in its own words (a journal's cursor)
    name     TEXT PRIMARY KEY,
    position TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An episode moves in one step: whatever enters the archive has left the queue.
CREATE TRIGGER archive_takes_from_queue AFTER INSERT ON archive BEGIN
    DELETE FROM queue WHERE content_id = NEW.content_id AND id = NEW.id;
    INSERT INTO total (content_id, count, episodes, first_us, last_us, gap_min_ms, gap_max_ms)
    VALUES (NEW.content_id, NEW.count, 1, NEW.first_us, NEW.last_us, NEW.gap_min_ms, NEW.gap_max_ms)
    ON CONFLICT (content_id) DO UPDATE SET
        count      = count + excluded.count,
        episodes   = episodes + 1,
        first_us   = min(first_us, excluded.first_us),
        last_us    = max(last_us, excluded.last_us),
        gap_min_ms = coalesce(min(gap_min_ms, excluded.gap_min_ms), gap_min_ms, excluded.gap_min_ms),
        gap_max_ms = coalesce(max(gap_max_ms, excluded.gap_max_ms), gap_max_ms, excluded.gap_max_ms);
END;

CREATE TRIGGER queue_counts_closed AFTER DELETE ON queue BEGIN
    UPDATE store SET open_count = open_count - 1;
END;

CREATE TRIGGER queue_leaves_into_archive BEFORE DELETE ON queue
WHEN NOT EXISTS (SELECT 1 FROM archive WHERE id = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'an open episode leaves the queue only into the archive');
END;

CREATE TRIGGER archive_refuses_update BEFORE UPDATE ON archive BEGIN
    SELECT RAISE(ABORT, 'archive is append-only');
END;

CREATE TRIGGER archive_refuses_delete BEFORE DELETE ON archive
WHEN OLD.last_us >= (SELECT horizon_us FROM store) BEGIN
    SELECT RAISE(ABORT, 'archive is append-only: retention has not advanced its horizon past this episode');
END;

-- What retention deletes leaves the totals and is counted; first_us and last_us stay: they are what is known.
CREATE TRIGGER archive_is_pruned AFTER DELETE ON archive BEGIN
    UPDATE total SET count = count - OLD.count, episodes = episodes - 1 WHERE content_id = OLD.content_id;
    DELETE FROM total WHERE content_id = OLD.content_id AND episodes = 0;
    UPDATE store SET pruned = pruned + OLD.count;
END;

-- REPLACE deletes a row without firing delete triggers, so it is stopped before it begins.
CREATE TRIGGER archive_refuses_replace BEFORE INSERT ON archive
WHEN EXISTS (SELECT 1 FROM archive WHERE id = NEW.id OR seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'archive is append-only: this episode is in it');
END;

CREATE TRIGGER content_refuses_update BEFORE UPDATE ON content BEGIN
    SELECT RAISE(ABORT, 'content is append-only');
END;

CREATE TRIGGER content_refuses_delete BEFORE DELETE ON content
WHEN (SELECT horizon_us FROM store) = 0
    OR EXISTS (SELECT 1 FROM queue WHERE content_id = OLD.id)
    OR EXISTS (SELECT 1 FROM archive WHERE content_id = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'content is append-only: only retention deletes what no episode refers to');
END;

CREATE TRIGGER content_refuses_replace BEFORE INSERT ON content
WHEN EXISTS (SELECT 1 FROM content WHERE hash = NEW.hash OR id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'content is append-only: this content is in it');
END;

-- CROSS JOIN fixes the order of the join: with statistics, 3.40.1 would scan all content for a time range.
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

CREATE VIEW log AS  -- START HERE: one row a content, newest first; times are UTC; filter by last_us, first_us or content_id
SELECT
    strftime('%Y-%m-%d %H:%M:%S', max(q.last_us, coalesce(t.last_us, 0)) / 1000000, 'unixepoch')
        || printf('.%06d', max(q.last_us, coalesce(t.last_us, 0)) % 1000000) AS last_seen,
    strftime('%Y-%m-%d %H:%M:%S', min(q.first_us, coalesce(t.first_us, q.first_us)) / 1000000, 'unixepoch')
        || printf('.%06d', min(q.first_us, coalesce(t.first_us, q.first_us)) % 1000000) AS first_seen,
    q.count + coalesce(t.count, 0) AS count, 1 + coalesce(t.episodes, 0) AS episodes,
    c.level_name, c.source, c.message, q.content_id,
    min(q.first_us, coalesce(t.first_us, q.first_us)) AS first_us, max(q.last_us, coalesce(t.last_us, 0)) AS last_us
FROM queue AS q CROSS JOIN content AS c ON c.id = q.content_id LEFT JOIN total AS t ON t.content_id = q.content_id
UNION ALL
SELECT
    strftime('%Y-%m-%d %H:%M:%S', t.last_us / 1000000, 'unixepoch') || printf('.%06d', t.last_us % 1000000),
    strftime('%Y-%m-%d %H:%M:%S', t.first_us / 1000000, 'unixepoch') || printf('.%06d', t.first_us % 1000000),
    t.count, t.episodes, c.level_name, c.source, c.message, t.content_id, t.first_us, t.last_us
FROM total AS t CROSS JOIN content AS c ON c.id = t.content_id
WHERE NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.content_id = t.content_id)
ORDER BY last_us DESC;
