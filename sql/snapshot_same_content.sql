-- The content of a snapshot that another one became the same as.
-- :hash (32 bytes)
SELECT id FROM content WHERE hash = :hash;
