-- What a store holds, in one row.
SELECT
    store.store_id, store.host, store.created_us, store.swept_us, store.horizon_us,
    settings.window_ms, settings.max_span_ms, settings.max_open,
    (SELECT count(*) FROM content) AS contents,
    (SELECT count(*) FROM queue) AS open_episodes,
    (SELECT coalesce(sum(episodes), 0) FROM total) AS archived_episodes,
    (SELECT coalesce(sum(count), 0) FROM queue) + (SELECT coalesce(sum(count), 0) FROM total) AS records,
    (SELECT min(first_us) FROM (SELECT first_us FROM total UNION ALL SELECT first_us FROM queue)) AS first_us,
    (SELECT max(last_us) FROM (SELECT last_us FROM total UNION ALL SELECT last_us FROM queue)) AS last_us
FROM store CROSS JOIN settings;
