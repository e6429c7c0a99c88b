-- What has gone quiet: contents that came with a beat, and then not for 3 of their longest gaps and more.
-- Silence lasts until the end of the range, or the newest record of the store; the longest comes first.
-- A beat: 4 records and more, a second and more apart in the mean.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :source_glob "'*/alfa2/*'"
-- sqlite> .read sql/queries/gone-quiet.sql
-- $ logstore query --saved gone-quiet --source alfa2
WITH beating AS (
    SELECT
        content_id, level_name, source, message, sum(count) AS records, max(last_us) AS last_us,
        max(last_seen) AS last_seen, max(gap_max_ms) AS gap_max_ms,
        sum(last_us - first_us) / 1000 / sum(count - 1) AS gap_mean_ms
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
    GROUP BY content_id
    HAVING sum(count - 1) >= 3
),
silent AS (
    SELECT
        *, (min(coalesce(:until_us, 253402300800000000), (SELECT max(newest_us) FROM (
            SELECT max(last_us) AS newest_us FROM queue UNION ALL SELECT max(last_us) FROM total))) - last_us
        ) / 1000 AS silent_ms
    FROM beating
)
SELECT
    last_seen, silent_ms / 1000 AS silent_s, gap_mean_ms, gap_max_ms, records, level_name AS level, source, message,
    content_id
FROM silent
WHERE silent_ms >= 3 * gap_max_ms AND gap_mean_ms >= 1000
ORDER BY silent_ms DESC, content_id
LIMIT coalesce(:limit, 20);
