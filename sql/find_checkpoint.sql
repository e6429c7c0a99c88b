-- How far one input file was read.
-- :device  :inode
SELECT device, inode, head_bytes, head_hash, offset, path, context, tail_hash, masks
FROM checkpoint
WHERE device = :device AND inode = :inode;
