-- What is wrong: one row a content, the worst level first, in it the newest.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 4, warning)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :severity 3
-- sqlite> .read sql/queries/wrong-now.sql
-- $ logstore query --saved wrong-now --level error
WITH touched AS (  -- +content_id below: sorted there, so that the range is searched by time
    SELECT
        content_id, level, level_name, source, message, count, last_us, last_seen,
        row_number() OVER (PARTITION BY +content_id ORDER BY last_us DESC, id DESC) AS newness,
        sum(count) OVER (PARTITION BY +content_id) AS records
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 4) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
)
SELECT level_name AS level, last_seen, records, source, message, content_id
FROM touched
WHERE newness = 1
ORDER BY touched.level, last_us DESC, content_id
LIMIT coalesce(:limit, 20);
