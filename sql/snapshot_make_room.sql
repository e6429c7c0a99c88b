-- Close the open episode of a content in a snapshot, if it has one: a content that became the same has another.
-- A trigger takes it out of the queue.
-- :content_id
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, reason
)
SELECT
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, 'evicted'
FROM queue
WHERE content_id = :content_id;
