-- Move what has been quiet into the archive, oldest last_us first; a trigger takes it out of the queue.
-- Due is what was last seen inside the given range and not received within the window: first the range from
-- the oldest row up to the window before now, then, for rows ahead of the clock, the range after now.
-- :from_us  :until_us (half open)  :quiet_before_us (the window before now)  :limit (rows)
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, reason, numbers
)
SELECT
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, 'gap', numbers
FROM queue
WHERE last_us >= :from_us AND last_us < :until_us AND received_us < :quiet_before_us
ORDER BY last_us
LIMIT :limit;
