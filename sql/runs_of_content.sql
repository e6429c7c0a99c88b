-- The episodes of one content, newest first, each with its run: read as far as needed.
-- :content_id
SELECT last_us, id, run_id FROM archive WHERE content_id = :content_id
UNION ALL
SELECT last_us, id, run_id FROM queue WHERE content_id = :content_id
ORDER BY last_us DESC;
