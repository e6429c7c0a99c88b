-- Which measures stand out: the numbers behind masks whose largest is farthest above its mean.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :limit 5
-- sqlite> .read sql/queries/largest-numbers.sql
-- $ logstore query --saved largest-numbers --limit 5
WITH touched AS (  -- +content_id below: sorted there, so that the range is searched by time
    SELECT content_id, last_us, numbers, first_text FROM queue
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
    UNION ALL
    SELECT content_id, last_us, numbers, first_text FROM archive
    WHERE last_us >= coalesce(:since_us, 0)
        AND last_us < coalesce(:until_us, 253402300800000000) + (SELECT longest_us FROM store)
        AND first_us < coalesce(:until_us, 253402300800000000)
),
place AS (  -- a single record has the number itself, several have an object
    SELECT
        e.content_id, j.key AS place, e.last_us,
        iif(j.type = 'object', j.value ->> 'max', j.value) AS largest,
        iif(j.type = 'object', j.value ->> 'sum', j.value) AS total,
        iif(j.type = 'object', j.value ->> 'count', 1) AS numbers,
        iif(j.type = 'object', j.value ->> 'max_text', e.first_text) AS largest_text
    FROM touched AS e CROSS JOIN json_each(e.numbers) AS j
    WHERE j.type <> 'null'
),
ranked AS (
    SELECT
        *, row_number() OVER (PARTITION BY +content_id, place ORDER BY largest DESC, last_us DESC) AS size,
        1.0 * sum(total) OVER (PARTITION BY +content_id, place) / sum(numbers) OVER (PARTITION BY +content_id, place) AS mean,
        sum(numbers) OVER (PARTITION BY +content_id, place) AS how_many
    FROM place
)
SELECT
    r.largest, round(r.mean, 3) AS mean, r.how_many, r.place, c.source, c.level_name AS level,
    coalesce(r.largest_text, c.message) AS largest_text, c.message, r.content_id
FROM ranked AS r CROSS JOIN content AS c ON c.id = r.content_id
WHERE r.size = 1 AND r.largest > r.mean
    AND c.level <= coalesce(:severity, 7) AND '/' || c.source || '/' GLOB coalesce(:source_glob, '*')
    AND instr(lower(c.message), lower(coalesce(:pattern, ''))) > 0
ORDER BY r.largest / max(abs(r.mean), 0.001) DESC, r.content_id, r.place
LIMIT coalesce(:limit, 20);
