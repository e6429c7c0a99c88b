-- What else began near a moment: the runs of other contents, the nearest first.
-- :at_us  :radius_us (how far before or after, inclusive)  :but_content_id (is left out)  :limit (-1: none)
SELECT count(*) OVER () AS found, content_id, id AS run_id
FROM episode
WHERE last_us >= :at_us - :radius_us
    AND last_us <= :at_us + :radius_us + (SELECT longest_us FROM store)
    AND first_us >= :at_us - :radius_us AND first_us <= :at_us + :radius_us
    AND continues IS NULL AND content_id <> :but_content_id
ORDER BY abs(first_us - :at_us), first_us, id
LIMIT :limit;
