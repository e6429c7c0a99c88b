-- How far one stream was read.
-- :name
SELECT name, position FROM cursor WHERE name = :name;
