-- Change the settings; the schema refuses what makes no sense, and a trigger raises the generation.
-- :window_ms  :max_span_ms  :max_open  :masks  :redact
UPDATE settings SET
    window_ms = :window_ms, max_span_ms = :max_span_ms, max_open = :max_open, masks = :masks, redact = :redact;
