-- Every source of a store, in the order in which they came.
SELECT source FROM content GROUP BY source ORDER BY min(id);
