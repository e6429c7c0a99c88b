-- All gaps of the newest episodes of one content: their sum, and how many they are.
-- :content_id  :limit (how many of the newest episodes)
SELECT coalesce(sum(span_us), 0), coalesce(sum(gaps), 0)
FROM (
    SELECT last_us - first_us AS span_us, count - 1 AS gaps, last_us FROM archive WHERE content_id = :content_id
    UNION ALL
    SELECT last_us - first_us, count - 1, last_us FROM queue WHERE content_id = :content_id
    ORDER BY last_us DESC LIMIT :limit
);
