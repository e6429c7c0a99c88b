-- The numbers behind the masks of one content, over its newest episodes: a row for each masked place.
-- :content_id  :run_id (only the parts of that run; 0: all)  :since_us  :until_us (inclusive, of last_us)
-- :limit (how many of the newest episodes; -1: all)
WITH place AS (  -- a single record has the number itself, several have an object
    SELECT
        e.last_us, e.id, j.key AS place,
        iif(j.type = 'object', j.value ->> 'min', j.value) AS min,
        iif(j.type = 'object', j.value ->> 'max', j.value) AS max,
        iif(j.type = 'object', j.value ->> 'sum', j.value) AS sum,
        iif(j.type = 'object', j.value ->> 'count', 1) AS count,
        iif(j.type = 'object', j.value ->> 'last', j.value) AS last,
        iif(j.type = 'object', j.value ->> 'max_text', e.first_text) AS max_text
    FROM (
        SELECT last_us, id, numbers, first_text FROM archive
        WHERE content_id = :content_id AND last_us >= :since_us AND last_us <= :until_us AND :run_id IN (0, run_id)
        UNION ALL
        SELECT last_us, id, numbers, first_text FROM queue
        WHERE content_id = :content_id AND last_us >= :since_us AND last_us <= :until_us AND :run_id IN (0, run_id)
        ORDER BY last_us DESC LIMIT :limit
    ) AS e CROSS JOIN json_each(e.numbers) AS j
    WHERE j.type <> 'null'
)
SELECT
    place, min(min), max(max), sum(sum), sum(count),
    (SELECT last FROM place AS p WHERE p.place = place.place ORDER BY last_us DESC, id DESC LIMIT 1),
    coalesce(
        (SELECT max_text FROM place AS p WHERE p.place = place.place ORDER BY max DESC LIMIT 1),
        (SELECT message FROM content WHERE id = :content_id)
    )
FROM place
GROUP BY place
ORDER BY place;
