-- The parts of one run, first to last; of a run that was never continued, the one episode.
-- :content_id  :parts (1: only the episode whose id is run_id)  :run_id
WITH part AS (
    SELECT id, last_us FROM archive WHERE id = :run_id
    UNION ALL
    SELECT id, last_us FROM archive WHERE run_id = :run_id AND continues IS NOT NULL AND NOT :parts
    UNION ALL
    SELECT id, last_us FROM queue WHERE content_id = :content_id AND iif(:parts, id, run_id) = :run_id
)
SELECT
    content_id, id, state, first_us, last_us, count, level_name, source, message, gap_min_ms, gap_max_ms,
    first_text, last_text, reason, first_attributes, last_attributes
FROM episode
WHERE content_id = :content_id AND id IN (SELECT id FROM part)
    AND last_us >= (SELECT min(last_us) FROM part) AND last_us <= (SELECT max(last_us) FROM part)
ORDER BY id;
