-- Renew the open episode of a content whose kept texts stay as they are: most repeats, with few columns to carry.
-- Were it gone, it would be put as it is: an episode without texts of its own.
-- :content_hash  :content_id  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms  :prior_count  :id
-- :run_id  :received_us  :receipt
INSERT INTO queue (
    content_hash, content_id, first_us, last_us, count, gap_min_ms, gap_max_ms, prior_count, id,
    run_id, received_us, receipt
)
VALUES (
    :content_hash, :content_id, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms, :prior_count, :id,
    :run_id, :received_us, :receipt
)
ON CONFLICT (content_hash) DO UPDATE SET
    first_us    = excluded.first_us,
    last_us     = excluded.last_us,
    count       = excluded.count,
    gap_min_ms  = excluded.gap_min_ms,
    gap_max_ms  = excluded.gap_max_ms,
    received_us = excluded.received_us,
    receipt     = excluded.receipt;
