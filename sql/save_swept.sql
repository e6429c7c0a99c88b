-- Remember when a sweep last looked at everything that was due.
-- :swept_us
UPDATE store SET swept_us = :swept_us;
