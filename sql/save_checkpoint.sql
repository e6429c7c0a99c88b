-- Advance an input file's checkpoint; no row changes if someone else advanced it meanwhile.
-- :device  :inode  :head_bytes  :head_hash  :offset  :path  :context  :tail_hash  :masks
-- :expected_offset (NULL: no checkpoint yet)
INSERT INTO checkpoint (device, inode, head_bytes, head_hash, offset, path, context, tail_hash, masks)
VALUES (:device, :inode, :head_bytes, :head_hash, :offset, :path, :context, :tail_hash, :masks)
ON CONFLICT (device, inode) DO UPDATE SET
    head_bytes = excluded.head_bytes,
    head_hash  = excluded.head_hash,
    offset     = excluded.offset,
    path       = excluded.path,
    context    = excluded.context,
    tail_hash  = excluded.tail_hash,
    masks      = excluded.masks
WHERE checkpoint.offset = :expected_offset;
