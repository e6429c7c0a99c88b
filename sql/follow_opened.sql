-- First copies in the order of their ids: episodes between two ids that continue none and fit a filter.
-- Needs the function matches(text, ...).
-- :after_id  :before_id (both left out)  :since_us (first seen)  :severity (this and worse)
-- :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)
SELECT
    id, state, first_us, last_us, count, count AS count_total, 1 AS count_exact, level_name, source, message,
    gap_min_ms, gap_max_ms, first_text, last_text, reason, content_id
FROM episode
WHERE id > :after_id AND id < :before_id AND continues IS NULL AND first_us >= :since_us
    AND level <= :severity AND '/' || source || '/' GLOB :source_glob
    AND iif(:raw, matches(message, first_text, last_text), matches(message))
ORDER BY id;
