-- Keep the shared counters after a write that opened episodes, or lengthened the longest one.
-- A trigger takes what leaves the queue off open_count; only a write adds to it.
-- :next_id  :opened (how many entered the queue)  :longest_us
UPDATE store SET next_id = :next_id, open_count = open_count + :opened, longest_us = :longest_us;
