-- The highest sequence taken of one writer.
-- :writer
SELECT sequence FROM ledger WHERE writer = :writer;
