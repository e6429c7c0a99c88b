-- Keep the shared counters after a write that opened an episode, or lengthened the longest one.
-- :next_id  :longest_us
UPDATE store SET next_id = :next_id, longest_us = :longest_us;
