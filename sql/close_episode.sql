-- Close an episode on the spot (gap or span): append it; a trigger takes it out of the queue.
-- :id  :content_id  :run_id  :continues  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms
-- :first_text  :last_text  :first_attributes  :last_attributes  :reason  :numbers
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, reason, numbers
)
VALUES (
    :id, :content_id, :run_id, :continues, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms,
    :first_text, :last_text, :first_attributes, :last_attributes, :reason, :numbers
);
