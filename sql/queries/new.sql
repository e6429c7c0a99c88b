-- What is new: contents that were never seen before the range, in the order of their first record.
-- :since_us  :until_us (half open; unset: everything)  :severity (this and worse; unset: 7, all)
-- :source_glob (of '/' || source || '/')  :pattern (in the message, any case)  :limit (unset: 20; -1: none)
-- sqlite> .parameter set :since_us "unixepoch('2026-11-22 00:25') * 1000000"
-- sqlite> .read sql/queries/new.sql
-- $ logstore query --saved new --since '2026-11-22 00:25'
SELECT l.first_seen, l.last_seen, l.count AS records, l.level_name AS level, l.source, l.message, l.content_id
FROM log AS l CROSS JOIN content AS c ON c.id = l.content_id
WHERE l.first_us >= coalesce(:since_us, 0) AND l.first_us < coalesce(:until_us, 253402300800000000)
    AND c.level <= coalesce(:severity, 7) AND '/' || l.source || '/' GLOB coalesce(:source_glob, '*')
    AND instr(lower(l.message), lower(coalesce(:pattern, ''))) > 0
ORDER BY l.first_us, l.content_id
LIMIT coalesce(:limit, 20);
