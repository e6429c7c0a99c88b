-- Keep a content that was never seen before; its text is stored this once.
-- :hash (32 bytes)  :source  :level (0..7)  :message
INSERT INTO content (hash, source, level, message) VALUES (:hash, :source, :level, :message) RETURNING id;
