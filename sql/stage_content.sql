-- Lay contents out in memory, to be added in one statement: a statement for each would have the index of words
-- write itself out each time.
-- :hash (32 bytes)  :source  :level (0..7)  :message
INSERT INTO temp.arrived (hash, source, level, message) VALUES (:hash, :source, :level, :message);
