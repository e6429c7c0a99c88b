-- Archived episodes and totals whose content is not there.
SELECT 'episode ' || a.id || ' belongs to content ' || a.content_id || ', which is not there'
FROM archive AS a LEFT JOIN content AS c ON c.id = a.content_id
WHERE c.id IS NULL
UNION ALL
SELECT 'a total belongs to content ' || t.content_id || ', which is not there'
FROM total AS t LEFT JOIN content AS c ON c.id = t.content_id
WHERE c.id IS NULL;
