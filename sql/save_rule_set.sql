-- Name a set of rules, and take the rules away that it had: those that follow are all it has.
-- :name  :kind
INSERT INTO rule_set (name, kind) VALUES (:name, :kind)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind;
DELETE FROM rule WHERE set_name = :name;
