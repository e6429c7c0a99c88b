-- Three episodes of two contents. The hashes are those of the canonical bytes (SPEC, section 3).
INSERT INTO store VALUES ('the-old-one', 'node1', 500000, 5000, 70);
INSERT INTO content (id, hash, source, level, message) VALUES
    (1, x'd0958b2f11559cc5171160cada2354ff47e0adabdd488b03231f968ab14ae76b', 'node1/vip', 6, 'vip is up'),
    (2, x'22db8eb22a1f638286b1ca9c66117d5c379142dcfbbc550d2cdabf04757d6793', 'node2/redis', 3, 'redis died');
INSERT INTO archive (seq, id, content_id, first_us, last_us, count, gap_us) VALUES
    (1, 2, 2, 2000000, 2000000, 1, NULL),
    (2, 1, 1, 1000000, 3000000, 3, 1000000);
INSERT INTO queue VALUES (1, 3, 9000000, 9500000, 2, 500000, 9500000);
INSERT INTO ledger VALUES ('node1', 42);
