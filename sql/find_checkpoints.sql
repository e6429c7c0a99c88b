-- How far the files were read that had a name, or have it with a suffix of rotation (`.1`, `-20261122.gz`).
-- :path
SELECT device, inode, head_bytes, head_hash, offset, path, context, tail_hash, masks
FROM checkpoint
WHERE path = :path
    OR path >= :path || '.' AND path < :path || '/'
    OR path >= :path || '-' AND path < :path || '.';
