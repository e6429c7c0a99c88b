-- The contents that a snapshot needs: those with an episode that overlaps its range, in the order of their ids.
-- :since_us  :until_us (half open)  :source_glob (of '/' || source || '/')
SELECT id, hash, source, level, message
FROM content AS c
WHERE '/' || source || '/' GLOB :source_glob
    AND (
        EXISTS (
            SELECT 1 FROM queue
            WHERE content_id = c.id AND last_us >= :since_us AND first_us < :until_us)
        OR EXISTS (
            SELECT 1 FROM archive
            WHERE content_id = c.id AND last_us >= :since_us
                AND last_us < :until_us + (SELECT longest_us FROM store) AND first_us < :until_us))
ORDER BY id;
