-- What is loudest: the contents with the most records in a range; an episode that the range cuts is shared out.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :since_us "unixepoch('2026-11-22 00:25') * 1000000"
-- sqlite> .read sql/queries/loudest.sql
-- $ logstore query --saved loudest --since '2026-11-22 00:25'
WITH touched AS (
    SELECT
        content_id, level_name, source, message, count, first_us, last_us, last_us - first_us AS span_us,
        first_us >= coalesce(:since_us, 0) AND last_us < coalesce(:until_us, 253402300800000000) AS whole,
        min(last_us, coalesce(:until_us, 253402300800000000)) - max(first_us, coalesce(:since_us, 0)) AS inside_us
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
)
SELECT
    sum(iif(whole, count, CAST(1 + (2 * (count - 1) * inside_us + span_us) / (2 * span_us) AS INTEGER))) AS records,
    min(whole) AS exact, count(*) AS episodes, level_name AS level, source, message, content_id
FROM touched
GROUP BY content_id
ORDER BY records DESC, content_id
LIMIT coalesce(:limit, 20);
