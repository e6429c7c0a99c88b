-- One row a content: what it did inside a range of time, and how often it was ever seen.
-- Needs the functions matches(text, ...) and count_inside(count, first_us, last_us, since_us, until_us).
-- :since_us  :until_us (half open)  :state ('all', 'open', 'closed')  :every_content (1: no filter on content)
-- :severity (this and worse)  :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)
-- :order ('last' keeps the newest, 'first' the earliest, 'count' the largest)  :limit (-1: none)
WITH touched AS (
    SELECT
        content_id, state, first_us, last_us, count, gap_min_ms, gap_max_ms,
        first_us >= :since_us AND last_us < :until_us AS whole
    FROM episode
    WHERE last_us >= :since_us
        AND last_us < :until_us + (SELECT longest_us FROM store)
        AND first_us < :until_us AND :since_us < :until_us
        AND (:state = 'all' OR state = :state)
        AND (:every_content OR content_id IN (
            SELECT id FROM content
            WHERE level <= :severity AND '/' || source || '/' GLOB :source_glob AND (:raw OR matches(message))))
        AND (NOT :raw OR matches(message, first_text, last_text))
),
folded AS (
    SELECT
        content_id, max(state = 'open') AS is_open, min(first_us) AS first_us, max(last_us) AS last_us,
        sum(iif(whole, count, count_inside(count, first_us, last_us, :since_us, :until_us))) AS count,
        min(whole) AS whole, min(gap_min_ms) AS gap_min_ms, max(gap_max_ms) AS gap_max_ms
    FROM touched
    GROUP BY content_id
),
chosen AS (
    SELECT
        *, count(*) OVER () AS found,
        CASE :order WHEN 'count' THEN -count WHEN 'first' THEN first_us ELSE -last_us END AS place
    FROM folded
    ORDER BY place, content_id
    LIMIT :limit
)
SELECT
    f.found, f.content_id AS id, iif(f.is_open, 'open', 'closed') AS state, f.first_us, f.last_us, f.count,
    coalesce((SELECT count FROM total WHERE content_id = f.content_id), 0)
        + coalesce((SELECT count FROM queue WHERE content_id = f.content_id), 0) AS count_total,
    f.whole AS count_exact, c.level_name AS level, c.source, c.message, f.gap_min_ms, f.gap_max_ms,
    (SELECT first_text FROM episode AS e WHERE e.content_id = f.content_id AND e.first_us = f.first_us
        ORDER BY last_us LIMIT 1) AS first_text,
    (SELECT last_text FROM episode AS e WHERE e.content_id = f.content_id AND e.last_us = f.last_us
        ORDER BY last_us LIMIT 1) AS last_text,
    (SELECT reason FROM episode AS e WHERE e.content_id = f.content_id AND e.last_us = f.last_us
        ORDER BY last_us LIMIT 1) AS reason,
    f.content_id
FROM chosen AS f CROSS JOIN content AS c ON c.id = f.content_id
ORDER BY f.place, f.content_id;
