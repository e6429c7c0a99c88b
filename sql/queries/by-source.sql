-- Which sources spoke: what each said in the episodes that touch the range, the most errors first.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :until_us "unixepoch('2026-11-22 00:25') * 1000000"
-- sqlite> .read sql/queries/by-source.sql
-- $ logstore query --saved by-source --until '2026-11-22 00:25'
SELECT
    source, sum(iif(level <= 3, count, 0)) AS errors, sum(iif(level = 4, count, 0)) AS warnings,
    sum(count) AS records, count(*) AS episodes, count(DISTINCT content_id) AS contents,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM episode
WHERE last_us >= coalesce(:since_us, 0)
    AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
    AND first_us < coalesce(:until_us, 253402300800000000)
    AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
    AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
GROUP BY source
ORDER BY errors DESC, warnings DESC, records DESC, source
LIMIT coalesce(:limit, 20);
