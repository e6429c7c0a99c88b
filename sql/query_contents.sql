-- One row a content: what it did inside a range of time, and how often it was ever seen.
-- Needs the functions matches(text, ...) and count_inside(count, first_us, last_us, since_us, until_us).
-- :since_us  :until_us (half open)  :ranged (0: everything, so that the kept totals answer, at any size)
-- :state ('all', 'open', 'closed')  :every_content (1: no filter on content)  :severity (this and worse)
-- :source_glob (of '/' || source || '/')  :fts (a full-text query, NULL: none)
-- :raw (1: match first and last text too)
-- :unseen_since_us (only what has no episode from there to since_us; NULL: no matter)
-- :order ('last' keeps the newest, 'first' the earliest, 'count' the largest)  :limit (-1: none)
WITH wanted AS (
    SELECT c.id FROM content_text AS t CROSS JOIN content AS c ON c.id = t.rowid
    WHERE t.content_text MATCH coalesce(:fts, '""')  -- which nothing matches
        AND c.level <= :severity AND '/' || c.source || '/' GLOB :source_glob AND (:raw OR matches(c.message))
    UNION ALL
    SELECT id FROM content
    WHERE :fts IS NULL
        AND level <= :severity AND '/' || source || '/' GLOB :source_glob AND (:raw OR matches(message))
),
touched AS (
    SELECT
        content_id, state = 'open' AS is_open, first_us, last_us, count, gap_min_ms, gap_max_ms,
        first_us >= :since_us AND last_us < :until_us AS whole
    FROM episode
    WHERE last_us >= :since_us
        AND last_us < :until_us + (SELECT longest_us FROM store)
        AND first_us < :until_us AND :since_us < :until_us
        AND :ranged
        AND (:state = 'all' OR state = :state)
        AND (:every_content OR content_id IN (SELECT id FROM wanted))
        AND (NOT :raw OR matches(message, first_text, last_text))
    UNION ALL
    SELECT content_id, 1, first_us, last_us, count, gap_min_ms, gap_max_ms, 1
    FROM queue
    WHERE NOT :ranged AND :state <> 'closed'
        AND (:every_content OR content_id IN (SELECT id FROM wanted))
    UNION ALL
    SELECT content_id, 0, first_us, last_us, count, gap_min_ms, gap_max_ms, 1
    FROM total
    WHERE NOT :ranged AND :state <> 'open'
        AND (:every_content OR content_id IN (SELECT id FROM wanted))
),
folded AS (
    SELECT
        content_id, max(is_open) AS is_open, min(first_us) AS first_us, max(last_us) AS last_us,
        sum(iif(whole, count, count_inside(count, first_us, last_us, :since_us, :until_us))) AS count,
        min(whole) AS whole, min(gap_min_ms) AS gap_min_ms, max(gap_max_ms) AS gap_max_ms
    FROM touched AS t
    GROUP BY content_id
    HAVING :unseen_since_us IS NULL OR NOT EXISTS (
        SELECT 1 FROM episode AS e
        WHERE e.content_id = t.content_id AND e.last_us >= :unseen_since_us
            AND e.last_us < :since_us + (SELECT longest_us FROM store) AND e.first_us < :since_us)
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
    -- From the tables: through the view, SQLite would read all episodes for these.
    coalesce(
        (SELECT coalesce(first_text, c.message) FROM archive
            WHERE content_id = f.content_id AND last_us >= f.first_us AND first_us = f.first_us
            ORDER BY last_us LIMIT 1),
        (SELECT coalesce(first_text, c.message) FROM queue WHERE content_id = f.content_id)) AS first_text,
    coalesce(
        (SELECT coalesce(last_text, first_text, c.message) FROM queue
            WHERE f.is_open AND content_id = f.content_id AND last_us = f.last_us),
        (SELECT coalesce(last_text, first_text, c.message) FROM archive
            WHERE content_id = f.content_id AND last_us = f.last_us)) AS last_text,
    iif(f.is_open AND f.last_us = (SELECT last_us FROM queue WHERE content_id = f.content_id), NULL,
        (SELECT reason FROM archive WHERE content_id = f.content_id AND last_us = f.last_us)) AS reason,
    f.content_id
FROM chosen AS f CROSS JOIN content AS c ON c.id = f.content_id
ORDER BY f.place, f.content_id;
