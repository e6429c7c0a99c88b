-- Close an episode on the spot (gap or span): append it; a trigger takes it out of the queue.
-- :content_id  :id  :run_id  :continues  :first_us  :last_us  :count  :gap_min_ms  :gap_max_ms
-- :first_text  :last_text  :first_attributes  :last_attributes  :numbers  :reason
INSERT INTO archive (
    content_id, id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, first_attributes, last_attributes, numbers, reason
)
VALUES (
    :content_id, :id, :run_id, :continues, :first_us, :last_us, :count, :gap_min_ms, :gap_max_ms,
    :first_text, :last_text, :first_attributes, :last_attributes, :numbers, :reason
);
