-- Take over what was set aside, right after schema.sql.
INSERT INTO store (one, store_id, host, created_us, next_id, open_count, longest_us)
SELECT
    1, store_id, host, created_us,
    (SELECT max(id) + 1 FROM (SELECT id FROM old_queue UNION ALL SELECT id FROM old_archive)),
    (SELECT count(*) FROM old_queue),
    (SELECT max(last_us - first_us) FROM (SELECT first_us, last_us FROM old_queue UNION ALL SELECT first_us, last_us FROM old_archive))
FROM old_store;
INSERT INTO settings (one, window_ms, max_span_ms, max_open) SELECT 1, window_ms, 0, max_open FROM old_store;
INSERT INTO content (id, hash, source, level, message) SELECT id, hash, source, level, message FROM old_content;
INSERT INTO archive (
    seq, id, content_id, run_id, first_us, last_us, count, gap_min_ms, gap_max_ms, reason
)
SELECT seq, id, content_id, id, first_us, last_us, count, gap_us / 1000, gap_us / 1000, 'gap' FROM old_archive;
INSERT INTO queue (
    content_id, content_hash, id, run_id, prior_count, first_us, last_us, count, gap_min_ms, gap_max_ms,
    received_us, receipt
)
SELECT
    q.content_id, c.hash, q.id, q.id, 0, q.first_us, q.last_us, q.count, q.gap_us / 1000, q.gap_us / 1000,
    q.received_us, 1
FROM old_queue AS q JOIN old_content AS c ON c.id = q.content_id;
INSERT INTO ledger (writer, sequence) SELECT writer, sequence FROM old_ledger;
DROP TABLE old_queue;
DROP TABLE old_archive;
DROP TABLE old_content;
DROP TABLE old_store;
DROP TABLE old_ledger;
