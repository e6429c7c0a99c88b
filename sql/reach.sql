-- How far back the store knows: when it was made, its oldest record (NULL: none), what was pruned before.
SELECT
    created_us,
    (SELECT min(first_us) FROM (SELECT first_us FROM total UNION ALL SELECT first_us FROM queue)),
    horizon_us
FROM store;
