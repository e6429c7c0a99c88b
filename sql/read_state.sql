-- What every write has to know first: the rules, the shared counters, the last order number given out at
-- this very time of receipt (0 if none was), and whether another connection wrote (data_version differs).
-- :received_us
SELECT
    store.next_id, store.open_count, store.longest_us, store.swept_us,
    settings.window_ms, settings.max_span_ms, settings.max_open,
    (SELECT coalesce(max(receipt), 0) FROM queue WHERE received_us = :received_us),
    (SELECT data_version FROM pragma_data_version)
FROM store CROSS JOIN settings;
