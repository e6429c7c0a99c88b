-- Let a snapshot, once it is filled, say of itself what the store says; runs once.
-- :store_id  :host  :created_us  :next_id  :longest_us  :swept_us  :horizon_us (a cut at --since raises it)
-- :pruned  :window_ms  :max_span_ms  :max_open  :masks  :redact
UPDATE settings SET
    window_ms = :window_ms, max_span_ms = :max_span_ms, max_open = :max_open, masks = :masks, redact = :redact;
UPDATE store SET
    store_id   = :store_id,
    host       = :host,
    created_us = :created_us,
    next_id    = :next_id,
    open_count = (SELECT count(*) FROM queue),
    longest_us = :longest_us,
    swept_us   = :swept_us,
    horizon_us = :horizon_us,
    pruned     = :pruned;
