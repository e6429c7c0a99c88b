-- The open episodes of a snapshot, whole, in the order of receipt: of two contents that redaction makes one,
-- the one received last stays open.
-- :since_us  :until_us (half open)  :source_glob (of '/' || source || '/')
SELECT
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, prior_count, received_us, receipt
FROM queue AS q
WHERE last_us >= :since_us AND first_us < :until_us
    AND EXISTS (SELECT 1 FROM content WHERE id = q.content_id AND '/' || source || '/' GLOB :source_glob)
ORDER BY received_us, receipt;
