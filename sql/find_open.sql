-- The open episode of one content, if there is one.
-- :content_hash (32 bytes)
SELECT
    content_hash, content_id, id, run_id, continues, prior_count, first_us, last_us, count,
    gap_min_ms, gap_max_ms, first_text, last_text, first_attributes, last_attributes
FROM queue
WHERE content_hash = :content_hash;
