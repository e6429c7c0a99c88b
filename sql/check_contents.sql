-- Every content with its hash, which the rest of the row must give again.
SELECT id, hash, source, level, message FROM content;
