-- Advance a stream's cursor; no row changes if someone else advanced it meanwhile.
-- :name  :position  :expected (NULL: no cursor yet)
INSERT INTO cursor (name, position)
VALUES (:name, :position)
ON CONFLICT (name) DO UPDATE SET position = excluded.position
WHERE cursor.position = :expected;
