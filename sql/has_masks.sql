-- Whether records may have been masked in this store: then a number asked for may be behind a placeholder.
SELECT EXISTS (SELECT 1 FROM rule_set WHERE kind = 'masks');
