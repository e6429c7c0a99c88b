-- What a snapshot keeps of what the store says about itself, and its settings.
SELECT
    store_id, host, created_us, next_id, longest_us, swept_us, horizon_us, pruned,
    window_ms, max_span_ms, max_open, masks, redact
FROM store CROSS JOIN settings;
