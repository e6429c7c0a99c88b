-- Give a new file its identity and its settings; runs once, right after schema.sql.
-- :store_id  :host  :created_us  :window_ms  :max_span_ms  :max_open  :masks  :redact
INSERT INTO store (one, store_id, host, created_us, swept_us)
VALUES (1, :store_id, :host, :created_us, :created_us);
INSERT INTO settings (one, window_ms, max_span_ms, max_open, masks, redact)
VALUES (1, :window_ms, :max_span_ms, :max_open, :masks, :redact);
