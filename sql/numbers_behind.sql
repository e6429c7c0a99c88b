-- The numbers behind the masks of one content, over its newest episodes: a row for each masked place.
-- :content_id  :run_id (only the parts of that run; 0: all)  :since_us  :until_us (inclusive, of last_us)
-- :limit (how many of the newest episodes; -1: all)
WITH place AS (
    SELECT e.last_us, e.id, j.key AS place, j.value AS said
    FROM (
        SELECT last_us, id, numbers FROM archive
        WHERE content_id = :content_id AND last_us >= :since_us AND last_us <= :until_us AND :run_id IN (0, run_id)
        UNION ALL
        SELECT last_us, id, numbers FROM queue
        WHERE content_id = :content_id AND last_us >= :since_us AND last_us <= :until_us AND :run_id IN (0, run_id)
        ORDER BY last_us DESC LIMIT :limit
    ) AS e CROSS JOIN json_each(e.numbers) AS j
    WHERE j.type = 'object'
)
SELECT
    place,
    min(said ->> 'min') AS min, max(said ->> 'max') AS max, sum(said ->> 'sum') AS sum,
    sum(said ->> 'count') AS count,
    (SELECT said ->> 'last' FROM place AS p WHERE p.place = place.place ORDER BY last_us DESC, id DESC LIMIT 1) AS last,
    (SELECT said ->> 'max_text' FROM place AS p WHERE p.place = place.place ORDER BY said ->> 'max' DESC LIMIT 1) AS max_text
FROM place
GROUP BY place
ORDER BY place;
