-- The open episode of one content, if there is one.
-- :content_hash (32 bytes)
SELECT
    content_hash, content_id, first_us, last_us, count, gap_min_ms, gap_max_ms, prior_count, id, run_id,
    continues, first_text, last_text, first_attributes, last_attributes, numbers
FROM queue
WHERE content_hash = :content_hash;
