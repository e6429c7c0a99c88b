-- The content and the run that an episode belongs to.
-- :id (of the episode)
SELECT content_id, run_id FROM archive WHERE id = :id
UNION ALL
SELECT content_id, run_id FROM queue WHERE id = :id
LIMIT 1;
