-- One row a run of episodes (a log that outlived the max span goes on in parts), or a row a part.
-- A run has the state of its last part, and the times of all its parts, whatever of it lies in the range.
-- Needs the functions matches(text, ...) and count_inside(count, first_us, last_us, since_us, until_us).
-- :since_us  :until_us (half open)  :ranged (0: everything, so that the queue knows all that is open)
-- :state ('all', 'open', 'closed')  :every_content (1: no filter on content)
-- :severity (this and worse)  :source_glob (of '/' || source || '/')  :fts (a full-text query, NULL: none)
-- :raw (1: match first and last text too)
-- :unseen_since_us (only contents without an episode from there to since_us; NULL: no matter)
-- :parts (1: a row a part)  :order ('last' keeps the newest, 'first' the earliest, 'count' the largest)
-- :limit (-1: none)
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
        content_id, state, first_us, last_us, count, continues IS NOT NULL OR reason IS 'span' AS is_part,
        first_us >= :since_us AND last_us < :until_us AS whole,
        CASE WHEN :parts OR continues IS NULL THEN id ELSE coalesce(
            (SELECT run_id FROM archive AS a WHERE a.id = e.id),
            (SELECT run_id FROM queue AS q WHERE q.content_id = e.content_id AND q.id = e.id)) END AS run_id
    FROM episode AS e
    WHERE last_us >= :since_us
        AND last_us < :until_us + (SELECT longest_us FROM store)
        AND first_us < :until_us AND :since_us < :until_us
        AND (:ranged OR :state <> 'open' OR state = 'open')
        AND (:every_content OR content_id IN (SELECT id FROM wanted))
        AND (NOT :raw OR matches(message, first_text, last_text))
),
folded AS (
    SELECT
        content_id, run_id, max(state = 'open') AS is_open, max(is_part) AND NOT :parts AS is_run,
        min(first_us) AS first_us, max(last_us) AS last_us,
        sum(iif(whole, count, count_inside(count, first_us, last_us, :since_us, :until_us))) AS count,
        min(whole) AS whole
    FROM touched AS t
    GROUP BY content_id, run_id
    HAVING :unseen_since_us IS NULL OR NOT EXISTS (
        SELECT 1 FROM episode AS e
        WHERE e.content_id = t.content_id AND e.last_us >= :unseen_since_us
            AND e.last_us < :since_us + (SELECT longest_us FROM store) AND e.first_us < :since_us)
),
complete AS (
    SELECT
        f.content_id, f.run_id, f.whole, f.is_run,
        f.count + iif(:state = 'open' AND NOT :ranged AND f.is_run, coalesce(q.prior_count, 0), 0) AS count,
        iif(f.is_run, q.run_id IS NOT NULL, f.is_open) AS is_open,
        coalesce(iif(f.is_run, (SELECT first_us FROM archive WHERE id = f.run_id), NULL), f.first_us) AS first_us,
        coalesce(iif(f.is_run, coalesce(q.last_us,
            (SELECT last_us FROM archive WHERE run_id = f.run_id AND continues IS NOT NULL ORDER BY seq DESC LIMIT 1)),
            NULL), f.last_us) AS last_us
    FROM folded AS f LEFT JOIN queue AS q ON q.content_id = f.content_id AND q.run_id = f.run_id
),
chosen AS (
    SELECT
        *, count(*) OVER () AS found,
        CASE :order WHEN 'count' THEN -count WHEN 'first' THEN first_us ELSE -last_us END AS place
    FROM complete
    WHERE :state = 'all' OR is_open = (:state = 'open')
    ORDER BY place, content_id, run_id
    LIMIT :limit
)
-- What follows is of a row that is one episode; a joined one is put together from its parts.
SELECT
    f.found, f.is_run, f.content_id, f.run_id, f.count AS count_inside, f.whole AS count_exact,
    iif(a.id IS NULL, 'open', 'closed') AS state, f.first_us, f.last_us, coalesce(a.count, q.count) AS count,
    c.level_name, c.source, c.message, coalesce(a.gap_min_ms, q.gap_min_ms), coalesce(a.gap_max_ms, q.gap_max_ms),
    coalesce(a.first_text, q.first_text, c.message) AS first_text,
    coalesce(a.last_text, a.first_text, q.last_text, q.first_text, c.message) AS last_text,
    a.reason
FROM chosen AS f CROSS JOIN content AS c ON c.id = f.content_id
    LEFT JOIN archive AS a ON NOT f.is_run AND a.id = f.run_id
    LEFT JOIN queue AS q ON NOT f.is_run AND q.content_id = f.content_id AND q.id = f.run_id
ORDER BY f.place, f.content_id, f.run_id;
