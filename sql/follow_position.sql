-- Which store this is, when it was made, and the id of its next episode: whatever has an id below is committed.
SELECT store_id, created_us, next_id FROM store;
