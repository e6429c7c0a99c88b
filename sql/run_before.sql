-- The run that was heard last of those that a content had begun before a moment.
-- No episode covers more than longest_us, so that only a few are looked at.
-- :content_id  :first_us
SELECT run_id, last_us FROM archive
WHERE content_id = :content_id AND last_us < :first_us + (SELECT longest_us FROM store) AND first_us < :first_us
UNION ALL
SELECT run_id, last_us FROM queue
WHERE content_id = :content_id AND last_us < :first_us + (SELECT longest_us FROM store) AND first_us < :first_us
ORDER BY last_us DESC
LIMIT 1;
