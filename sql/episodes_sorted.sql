-- Episodes that overlap a range of time and whose content fits a filter, by a key that has no index.
-- :since_us  :until_us (half open)  :state ('all', 'open', 'closed')  :every_content (1: no filter on content)
-- :severity (this and worse)  :source_glob (of '/' || source || '/')  :raw (1: match first and last text too)
-- :order ('first', 'count', 'last')  :newest_first (1: largest first)  :limit (-1: none)
SELECT
    id, state, source, level, level_name, message, first_us, last_us, count, gap_min_ms, gap_max_ms,
    first_text, last_text, reason, content_id, continues, first_attributes, last_attributes
FROM episode
WHERE last_us >= :since_us
    AND last_us < :until_us + (SELECT longest_us FROM store)  -- else a range in the past scans all since then
    AND first_us < :until_us AND :since_us < :until_us
    AND (:state = 'all' OR state = :state)
    AND (:every_content OR content_id IN (
        SELECT id FROM content
        WHERE level <= :severity AND '/' || source || '/' GLOB :source_glob AND (:raw OR matches(message))))
    AND (NOT :raw OR matches(message, first_text, last_text))
ORDER BY
    CASE :order WHEN 'count' THEN count WHEN 'first' THEN first_us ELSE last_us END
        * CASE WHEN :newest_first THEN -1 ELSE 1 END,
    CASE WHEN :newest_first THEN -id ELSE id END
LIMIT :limit;
