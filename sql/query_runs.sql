-- One row a run of episodes (a log that outlived the max span goes on in parts), or a row a part.
-- Needs the functions matches(text, ...) and count_inside(count, first_us, last_us, since_us, until_us).
-- :since_us  :until_us (half open)  :state ('all', 'open', 'closed')  :every_content (1: no filter on content)
-- :severity (this and worse)  :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)
-- :parts (1: a row a part)  :order ('last' keeps the newest, 'first' the earliest, 'count' the largest)
-- :limit (-1: none)
WITH touched AS (
    SELECT
        content_id, first_us, last_us, count, first_us >= :since_us AND last_us < :until_us AS whole,
        CASE WHEN :parts OR continues IS NULL THEN id ELSE coalesce(
            (SELECT run_id FROM archive AS a WHERE a.id = e.id),
            (SELECT run_id FROM queue AS q WHERE q.content_id = e.content_id AND q.id = e.id)) END AS run_id
    FROM episode AS e
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
        content_id, run_id, min(first_us) AS first_us, max(last_us) AS last_us,
        sum(iif(whole, count, count_inside(count, first_us, last_us, :since_us, :until_us))) AS count,
        min(whole) AS whole
    FROM touched
    GROUP BY content_id, run_id
)
SELECT
    count(*) OVER () AS found, content_id, run_id, count, whole AS count_exact
FROM folded
ORDER BY CASE :order WHEN 'count' THEN -count WHEN 'first' THEN first_us ELSE -last_us END, run_id
LIMIT :limit;
