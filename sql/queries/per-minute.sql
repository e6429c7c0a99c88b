-- How many records each minute had, oldest first; an episode over several minutes is shared out evenly.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: the newest 60; -1: none)
-- sqlite> .parameter set :severity 4
-- sqlite> .read sql/queries/per-minute.sql
-- $ logstore query --saved per-minute --level warning
WITH RECURSIVE touched AS (
    SELECT id, content_id, level, first_us, last_us, count
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
),
minute AS (  -- each minute that an episode touches
    SELECT id, content_id, level, first_us, last_us, count,
        max(first_us, coalesce(:since_us, 0)) / 60000000 * 60000000 AS minute_us
    FROM touched
    UNION ALL
    SELECT id, content_id, level, first_us, last_us, count, minute_us + 60000000
    FROM minute
    WHERE minute_us + 60000000 < min(last_us, coalesce(:until_us, 253402300800000000))
),
part AS (  -- what of the episode's span lies before the minute, and before its end
    SELECT
        minute_us, content_id, level, count, last_us - first_us AS span_us,
        max(minute_us, coalesce(:since_us, 0)) - first_us AS before_us,
        min(minute_us + 60000000, coalesce(:until_us, 253402300800000000), last_us) - first_us AS until_us
    FROM minute
),
shared AS (  -- the repeats are spread evenly: differences of floors add up to their number
    SELECT
        minute_us, content_id, level,
        CASE span_us WHEN 0 THEN count ELSE (before_us <= 0)
            + CAST((count - 1) * until_us / span_us AS INTEGER)
            - CAST((count - 1) * max(before_us, 0) / span_us AS INTEGER) END AS records
    FROM part
),
newest AS (
    SELECT
        minute_us, sum(records) AS records, sum(iif(level <= 3, records, 0)) AS errors,
        sum(iif(level = 4, records, 0)) AS warnings, count(DISTINCT content_id) AS contents
    FROM shared
    GROUP BY minute_us
    ORDER BY minute_us DESC
    LIMIT coalesce(:limit, 60)
)
SELECT
    strftime('%Y-%m-%d %H:%M', minute_us / 1000000, 'unixepoch') AS minute, records, errors, warnings, contents
FROM newest
ORDER BY minute_us;
