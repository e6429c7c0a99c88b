-- When the least recently received episode was received: if that is within the window, nothing is due.
SELECT min(received_us) FROM queue;
