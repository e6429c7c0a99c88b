-- Put an episode at the head of the queue, or renew the one that its content has open.
-- What the values become is said by logstore/fold.py; the key is the content hash and nothing else.
-- :content_hash  :content_id  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms  :prior_count  :id
-- :run_id  :continues  :first_text  :last_text  :first_attributes  :last_attributes  :numbers  :received_us  :receipt
INSERT INTO queue (
    content_hash, content_id, first_us, last_us, count, gap_min_ms, gap_max_ms, prior_count, id,
    run_id, continues, first_text, last_text, first_attributes, last_attributes, numbers, received_us,
    receipt
)
VALUES (
    :content_hash, :content_id, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms, :prior_count, :id,
    :run_id, :continues, :first_text, :last_text, :first_attributes, :last_attributes, :numbers, :received_us,
    :receipt
)
ON CONFLICT (content_hash) DO UPDATE SET
    first_us         = excluded.first_us,
    last_us          = excluded.last_us,
    count            = excluded.count,
    gap_min_ms       = excluded.gap_min_ms,
    gap_max_ms       = excluded.gap_max_ms,
    first_text       = excluded.first_text,
    last_text        = excluded.last_text,
    first_attributes = excluded.first_attributes,
    last_attributes  = excluded.last_attributes,
    numbers          = excluded.numbers,
    received_us      = excluded.received_us,
    receipt          = excluded.receipt;
