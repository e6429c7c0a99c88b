-- The id of a content that is already kept.
-- :hash (32 bytes)
SELECT id FROM content WHERE hash = :hash;
