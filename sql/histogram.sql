-- How many records there are over time, by level: a row for all episodes that lie within one step,
-- and one for each episode that several steps cut.
-- Needs the function matches(text, ...).
-- :since_us  :until_us (half open)  :begin_us (of the first step, at since_us or before)  :step_us
-- :state ('all', 'open', 'closed')  :every_content (1: no filter on content)  :severity (this and worse)
-- :source_glob (of '/' || source || '/')  :fts (a full-text query, NULL: none)
-- :raw (1: match first and last text too)
-- :unseen_since_us (only contents without an episode from there to since_us; NULL: no matter)
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
        id, level, first_us, last_us, count,
        first_us >= :since_us AND last_us < :until_us
            AND (first_us - :begin_us) / :step_us = (last_us - :begin_us) / :step_us AS whole
    FROM episode AS t
    WHERE last_us >= :since_us
        AND last_us < :until_us + (SELECT longest_us FROM store)
        AND first_us < :until_us AND :since_us < :until_us
        AND (:state = 'all' OR state = :state)
        AND (:every_content OR content_id IN (SELECT id FROM wanted))
        AND (NOT :raw OR matches(message, first_text, last_text))
        AND (:unseen_since_us IS NULL OR NOT EXISTS (
            SELECT 1 FROM episode AS e
            WHERE e.content_id = t.content_id AND e.last_us >= :unseen_since_us AND e.first_us < :since_us))
)
SELECT level, whole, min(first_us), max(last_us), sum(count)
FROM touched
GROUP BY level, whole, iif(whole, (first_us - :begin_us) / :step_us, id);
