-- What the queue holds of some contents: the run that each has open, its records in all parts so far, and
-- the times of its open part.
-- :contents (JSON: an array of their ids)
SELECT q.run_id, q.prior_count + q.count, q.first_us, q.last_us
FROM json_each(:contents) AS asked CROSS JOIN queue AS q ON q.content_id = asked.value;
