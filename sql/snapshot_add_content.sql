-- Put a content into a snapshot, unless redaction has made it one that is there.
-- :id  :hash (32 bytes)  :source  :level (0..7)  :message
INSERT INTO content (id, hash, source, level, message)
SELECT :id, :hash, :source, :level, :message
WHERE NOT EXISTS (SELECT 1 FROM content WHERE hash = :hash);
