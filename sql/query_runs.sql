-- One row a run of episodes (a log that outlived the max span goes on in parts), or a row a part.
-- A run has the state of its last part, and the times of all its parts, whatever of it lies in the range.
-- Needs the functions matches(text, ...) and count_inside(count, first_us, last_us, since_us, until_us).
-- :since_us  :until_us (half open)  :state ('all', 'open', 'closed')  :every_content (1: no filter on content)
-- :severity (this and worse)  :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)
-- :parts (1: a row a part)  :order ('last' keeps the newest, 'first' the earliest, 'count' the largest)
-- :limit (-1: none)
WITH touched AS (
    SELECT
        content_id, state, first_us, last_us, count, continues IS NOT NULL OR reason = 'span' AS is_part,
        first_us >= :since_us AND last_us < :until_us AS whole,
        CASE WHEN :parts OR continues IS NULL THEN id ELSE coalesce(
            (SELECT run_id FROM archive AS a WHERE a.id = e.id),
            (SELECT run_id FROM queue AS q WHERE q.content_id = e.content_id AND q.id = e.id)) END AS run_id
    FROM episode AS e
    WHERE last_us >= :since_us
        AND last_us < :until_us + (SELECT longest_us FROM store)
        AND first_us < :until_us AND :since_us < :until_us
        AND (:every_content OR content_id IN (
            SELECT id FROM content
            WHERE level <= :severity AND '/' || source || '/' GLOB :source_glob AND (:raw OR matches(message))))
        AND (NOT :raw OR matches(message, first_text, last_text))
),
folded AS (
    SELECT
        content_id, run_id, max(state = 'open') AS is_open, max(is_part) AND NOT :parts AS is_run,
        min(first_us) AS first_us, max(last_us) AS last_us,
        sum(iif(whole, count, count_inside(count, first_us, last_us, :since_us, :until_us))) AS count,
        min(whole) AS whole
    FROM touched
    GROUP BY content_id, run_id
),
part AS (
    SELECT content_id, run_id, first_us, last_us, 0 AS is_open FROM archive
    UNION ALL
    SELECT content_id, run_id, first_us, last_us, 1 FROM queue
),
complete AS (
    SELECT
        content_id, run_id, count, whole,
        iif(is_run, (SELECT max(is_open) FROM part AS p WHERE p.content_id = f.content_id AND p.run_id = f.run_id),
            is_open) AS is_open,
        iif(is_run, (SELECT min(first_us) FROM part AS p WHERE p.content_id = f.content_id AND p.run_id = f.run_id),
            first_us) AS first_us,
        iif(is_run, (SELECT max(last_us) FROM part AS p WHERE p.content_id = f.content_id AND p.run_id = f.run_id),
            last_us) AS last_us
    FROM folded AS f
)
SELECT
    count(*) OVER () AS found, content_id, run_id, count, whole AS count_exact
FROM complete
WHERE :state = 'all' OR is_open = (:state = 'open')
ORDER BY CASE :order WHEN 'count' THEN -count WHEN 'first' THEN first_us ELSE -last_us END, run_id
LIMIT :limit;
