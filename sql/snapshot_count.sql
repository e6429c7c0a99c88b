-- What a snapshot holds, counted row by row: open episodes, closed ones, records.
SELECT
    (SELECT count(*) FROM queue),
    (SELECT count(*) FROM archive),
    (SELECT coalesce(sum(count), 0) FROM queue) + (SELECT coalesce(sum(count), 0) FROM archive);
