-- Keep a format of the user's own under a name; what had that name is replaced.
-- :name  :pattern
INSERT INTO line_format (name, pattern) VALUES (:name, :pattern)
ON CONFLICT (name) DO UPDATE SET pattern = excluded.pattern;
