-- The settings, in the units of the file.
SELECT window_ms, max_span_ms, max_open, masks, redact FROM settings;
