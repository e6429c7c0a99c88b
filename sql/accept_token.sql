-- Take a batch's token; no row changes if this batch, or a later one of its writer, was taken before.
-- :writer  :sequence
INSERT INTO ledger (writer, sequence) VALUES (:writer, :sequence)
ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence WHERE excluded.sequence > sequence;
