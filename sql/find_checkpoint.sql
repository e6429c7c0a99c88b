-- How far one input file was read.
-- :device  :inode
SELECT head_bytes, head_hash, offset, path, context FROM checkpoint WHERE device = :device AND inode = :inode;
