-- Up to 200 sources that begin with a text, in no order, for the shell to complete. :beginning
SELECT DISTINCT source FROM content
WHERE substr(source, 1, length(:beginning)) = :beginning
LIMIT 200;
