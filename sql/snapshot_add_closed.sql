-- Put a closed episode into a snapshot, where it stood in the order of the archive.
-- :seq  :id  :content_id  :run_id  :continues  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms
-- :first_text  :last_text  :first_attributes  :last_attributes  :numbers  :reason
INSERT INTO archive (
    seq, id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, reason
)
VALUES (
    :seq, :id, :content_id, :run_id, :continues, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms,
    :first_text, :last_text, :first_attributes, :last_attributes, :numbers, :reason
);
