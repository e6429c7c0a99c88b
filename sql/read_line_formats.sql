-- The formats of the user's own.
SELECT name, pattern FROM line_format ORDER BY name;
