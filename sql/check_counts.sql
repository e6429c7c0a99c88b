-- Where the counters of a store do not agree with its rows: a line of text for each; nothing where all is well.
WITH seen AS (
    SELECT
        (SELECT coalesce(sum(count), 0) FROM archive) AS archived,
        (SELECT coalesce(sum(count), 0) FROM total) AS totalled,
        (SELECT count(*) FROM archive) AS episodes,
        (SELECT coalesce(sum(episodes), 0) FROM total) AS totalled_episodes,
        (SELECT count(*) FROM queue) AS open_episodes,
        (SELECT open_count FROM store) AS open_count,
        (SELECT max(coalesce((SELECT max(id) FROM queue), 0), coalesce((SELECT max(id) FROM archive), 0))) AS last_id,
        (SELECT next_id FROM store) AS next_id
)
SELECT 'the archive holds ' || archived || ' records, the totals say ' || totalled FROM seen WHERE archived <> totalled
UNION ALL
SELECT 'the archive holds ' || episodes || ' episodes, the totals say ' || totalled_episodes FROM seen
WHERE episodes <> totalled_episodes
UNION ALL
SELECT 'the queue holds ' || open_episodes || ' episodes, the store says ' || open_count FROM seen
WHERE open_episodes <> open_count
UNION ALL
SELECT 'episode ' || last_id || ' is there, the next one would be ' || next_id FROM seen WHERE last_id >= next_id
UNION ALL
SELECT 'the open episode ' || q.id || ' belongs to a content that is not there, or has another hash'
FROM queue AS q LEFT JOIN content AS c ON c.id = q.content_id
WHERE c.hash IS NOT q.content_hash;
