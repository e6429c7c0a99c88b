-- Make room in a full queue: the least recently received episodes go into the archive, none is dropped.
-- :limit (rows)
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, reason, numbers
)
SELECT
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, 'evicted', numbers
FROM queue
ORDER BY received_us, receipt
LIMIT :limit;
