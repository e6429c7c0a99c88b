-- Put an open episode into a snapshot.
-- :id  :content_id  :run_id  :continues  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms  :first_text
-- :last_text  :first_attributes  :last_attributes  :numbers  :prior_count  :received_us  :receipt
INSERT INTO queue (
    content_hash, id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, prior_count, received_us, receipt
)
SELECT
    hash, :id, :content_id, :run_id, :continues, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms,
    :first_text, :last_text, :first_attributes, :last_attributes, :numbers, :prior_count, :received_us, :receipt
FROM content
WHERE id = :content_id;
