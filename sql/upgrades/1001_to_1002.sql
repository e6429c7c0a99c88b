-- Full text over contents, kept by triggers; gaps in the totals and an index on runs: no life needs the whole archive.
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

INSERT INTO content_text (content_text) VALUES ('rebuild');

ALTER TABLE total ADD COLUMN gap_min_ms INTEGER;
ALTER TABLE total ADD COLUMN gap_max_ms INTEGER;

UPDATE total SET
    gap_min_ms = (SELECT min(gap_min_ms) FROM archive WHERE content_id = total.content_id),
    gap_max_ms = (SELECT max(gap_max_ms) FROM archive WHERE content_id = total.content_id);

DROP TRIGGER archive_takes_from_queue;

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

CREATE INDEX archive_run ON archive (run_id) WHERE continues IS NOT NULL;  -- the later parts of a run, in order

PRAGMA user_version = 1002;
