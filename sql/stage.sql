-- A place in memory for contents that have no open episode.
CREATE TEMP TABLE IF NOT EXISTS arrived (place INTEGER PRIMARY KEY, hash BLOB, source TEXT, level INTEGER, message TEXT);
