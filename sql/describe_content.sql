-- One content: what it says, and how often, in how many episodes and with which gaps it was ever seen.
-- :content_id
SELECT
    c.source, c.level_name, c.message, lower(hex(c.hash)), count(*), sum(e.count), min(e.first_us),
    max(e.last_us), max(e.state = 'open'), min(e.gap_min_ms), max(e.gap_max_ms)
FROM content AS c CROSS JOIN episode AS e ON e.content_id = c.id
WHERE c.id = :content_id
GROUP BY c.id;
