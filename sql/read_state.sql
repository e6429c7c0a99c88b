-- What every write has to know first: the rules, the shared counters, the newest time of receipt in the
-- queue, and the last order number given out at this very time of receipt (NULL if none was).
-- :received_us
SELECT
    store.next_id, store.open_count, store.longest_us, store.swept_us,
    settings.window_ms, settings.max_span_ms, settings.max_open, store.generation,
    (SELECT max(received_us) FROM queue),
    (SELECT receipt FROM queue WHERE received_us = :received_us ORDER BY receipt DESC LIMIT 1)
FROM store CROSS JOIN settings;
