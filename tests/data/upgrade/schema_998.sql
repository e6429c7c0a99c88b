-- A format that never was, for tests/test_upgrade.py: other names, no totals, no view log, gaps in microseconds.
PRAGMA application_id = 1282369363;
PRAGMA user_version = 998;

CREATE TABLE store (store_id TEXT, host TEXT, created_us INTEGER, window_ms INTEGER, max_open INTEGER) STRICT;

CREATE TABLE content (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB    NOT NULL UNIQUE,
    source  TEXT    NOT NULL,
    level   INTEGER NOT NULL,
    message TEXT    NOT NULL
) STRICT;

CREATE TABLE queue (
    content_id  INTEGER PRIMARY KEY REFERENCES content (id),
    id          INTEGER NOT NULL,
    first_us    INTEGER NOT NULL,
    last_us     INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    gap_us      INTEGER,
    received_us INTEGER NOT NULL
) STRICT;

CREATE INDEX queue_last ON queue (last_us);

CREATE TABLE archive (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         INTEGER NOT NULL UNIQUE,
    content_id INTEGER NOT NULL REFERENCES content (id),
    first_us   INTEGER NOT NULL,
    last_us    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    gap_us     INTEGER
) STRICT;

CREATE TABLE ledger (writer TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;

CREATE TRIGGER archive_refuses_update BEFORE UPDATE ON archive BEGIN
    SELECT RAISE(ABORT, 'archive is append-only');
END;

CREATE VIEW episode AS SELECT id, 'open' AS state FROM queue UNION ALL SELECT id, 'closed' FROM archive;
