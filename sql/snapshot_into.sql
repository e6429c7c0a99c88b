-- Write a snapshot, filled, without a free page, into a new file.
-- :file (a URI)
VACUUM INTO :file;
