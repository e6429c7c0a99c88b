-- What comes and goes: contents that began 3 times and more in the range; the most restless first.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :severity 5
-- sqlite> .read sql/queries/flapping.sql
-- $ logstore query --saved flapping --level notice
SELECT
    sum(continues IS NULL) AS begun, sum(count) AS records, sum(last_us - first_us) / 1000000 AS lasted_s,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen, level_name AS level, source, message, content_id
FROM episode
WHERE last_us >= coalesce(:since_us, 0)
    AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
    AND first_us < coalesce(:until_us, 253402300800000000)
    AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
    AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
GROUP BY content_id
HAVING begun >= 3
ORDER BY begun DESC, content_id
LIMIT coalesce(:limit, 20);
