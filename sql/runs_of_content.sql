-- The newest runs of one content.
-- :content_id  :limit
SELECT run_id
FROM (
    SELECT run_id, last_us FROM archive WHERE content_id = :content_id
    UNION ALL
    SELECT run_id, last_us FROM queue WHERE content_id = :content_id
)
GROUP BY run_id
ORDER BY max(last_us) DESC, run_id DESC
LIMIT :limit;
