-- The newest runs of one content.
-- :content_id  :limit
SELECT content_id, run_id FROM (
    SELECT content_id, run_id, max(last_us) AS last_us
    FROM (
        SELECT content_id, run_id, last_us FROM archive WHERE content_id = :content_id
        UNION ALL
        SELECT content_id, run_id, last_us FROM queue WHERE content_id = :content_id
    )
    GROUP BY run_id
)
ORDER BY last_us DESC, run_id DESC
LIMIT :limit;
