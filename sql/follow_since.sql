-- The id of the earliest opened among the first copies first seen since a time; NULL if there is none.
-- :since_us
SELECT min(id)
FROM episode
WHERE last_us >= :since_us AND first_us >= :since_us AND continues IS NULL;  -- last_us is what has the index
