-- Keep those of the contents laid out that were never seen before, in their order; their texts are stored this once.
INSERT INTO content (hash, source, level, message)
SELECT hash, source, level, message FROM temp.arrived
WHERE NOT EXISTS (SELECT 1 FROM content WHERE content.hash = arrived.hash)
ORDER BY place;
