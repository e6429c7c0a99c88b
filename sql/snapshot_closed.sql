-- The closed episodes of a snapshot, whole, in the order of the index on last_us: nothing is sorted.
-- :since_us  :until_us (half open)  :source_glob (of '/' || source || '/')
SELECT
    seq, id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, reason
FROM archive AS a
WHERE last_us >= :since_us AND last_us < :until_us + (SELECT longest_us FROM store)
    AND first_us < :until_us
    AND EXISTS (SELECT 1 FROM content WHERE id = a.content_id AND '/' || source || '/' GLOB :source_glob)
ORDER BY last_us, seq;
