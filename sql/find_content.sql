-- The ids of the contents laid out, in their order.
SELECT content.id FROM temp.arrived CROSS JOIN content ON content.hash = arrived.hash ORDER BY arrived.place;
