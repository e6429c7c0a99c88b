-- One content: what it says, and how often, in how many episodes and with which gaps it was ever seen.
-- Kept totals and the open episode answer, so that it costs the same at any number of episodes.
-- :content_id
SELECT
    c.source, c.level_name, c.message, lower(hex(c.hash)),
    coalesce(t.episodes, 0) + (q.id IS NOT NULL), coalesce(t.count, 0) + coalesce(q.count, 0),
    coalesce(min(t.first_us, q.first_us), t.first_us, q.first_us),
    coalesce(max(t.last_us, q.last_us), t.last_us, q.last_us),
    q.id IS NOT NULL,
    coalesce(min(t.gap_min_ms, q.gap_min_ms), t.gap_min_ms, q.gap_min_ms),
    coalesce(max(t.gap_max_ms, q.gap_max_ms), t.gap_max_ms, q.gap_max_ms)
FROM content AS c
LEFT JOIN total AS t ON t.content_id = c.id
LEFT JOIN queue AS q ON q.content_id = c.id
WHERE c.id = :content_id AND (t.content_id IS NOT NULL OR q.content_id IS NOT NULL);
