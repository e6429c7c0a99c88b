-- Set aside what format 998 holds.
DROP VIEW episode;
DROP TRIGGER archive_refuses_update;
DROP INDEX queue_last;
ALTER TABLE store RENAME TO old_store;
ALTER TABLE content RENAME TO old_content;
ALTER TABLE queue RENAME TO old_queue;
ALTER TABLE archive RENAME TO old_archive;
ALTER TABLE ledger RENAME TO old_ledger;
PRAGMA user_version = 999;
