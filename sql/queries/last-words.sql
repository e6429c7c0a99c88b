-- What each source said last, the most recent first: a source far down has fallen silent.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .read sql/queries/last-words.sql
-- $ logstore query --saved last-words
WITH touched AS (
    SELECT
        source, last_us, last_seen, level_name, last_text, content_id,
        row_number() OVER (PARTITION BY source ORDER BY last_us DESC, id DESC) AS newness
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
)
SELECT last_seen, source, level_name AS level, last_text, content_id
FROM touched
WHERE newness = 1
ORDER BY last_us DESC, source
LIMIT coalesce(:limit, 20);
