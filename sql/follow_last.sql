-- The id of the oldest of the newest first copies that fit a filter; NULL if none does.
-- Needs the function matches(text, ...).
-- :after_id (looks no further back)  :since_us (first seen)  :severity (this and worse)
-- :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)  :limit
SELECT min(id)
FROM (
    SELECT id
    FROM episode
    WHERE id > :after_id AND continues IS NULL AND first_us >= :since_us
        AND level <= :severity AND '/' || source || '/' GLOB :source_glob
        AND iif(:raw, matches(message, first_text, last_text), matches(message))
    ORDER BY id DESC
    LIMIT :limit
);
