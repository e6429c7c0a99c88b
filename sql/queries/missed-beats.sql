-- Which beats were missed: episodes whose longest gap is 2 of their mean ones and more; the longest first.
-- A beat: 5 records and more, of which no two are closer than a quarter of the mean gap.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :pattern "'monitor'"
-- sqlite> .read sql/queries/missed-beats.sql
-- $ logstore query --saved missed-beats monitor
WITH beating AS (
    SELECT
        id, first_seen, last_seen, count, gap_min_ms, (last_us - first_us) / 1000 / (count - 1) AS gap_mean_ms,
        gap_max_ms, level_name, source, message, content_id
    FROM episode
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
        AND level <= coalesce(:severity, 7) AND '/' || source || '/' GLOB coalesce(:source_glob, '*')
        AND instr(lower(message), lower(coalesce(:pattern, ''))) > 0
        AND count >= 5
)
SELECT
    round(1.0 * gap_max_ms / gap_mean_ms, 1) AS beats, gap_max_ms, gap_mean_ms, gap_min_ms, first_seen, last_seen,
    count AS records, level_name AS level, source, message, content_id, id AS episode_id
FROM beating
WHERE gap_max_ms >= 2 * gap_mean_ms AND 4 * gap_min_ms >= gap_mean_ms AND gap_mean_ms > 0
ORDER BY beats DESC, id
LIMIT coalesce(:limit, 20);
