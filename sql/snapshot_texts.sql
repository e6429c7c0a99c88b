-- Every content of a store, in the order of its id: what --redact numbers addresses by.
SELECT source, message FROM content ORDER BY id;
