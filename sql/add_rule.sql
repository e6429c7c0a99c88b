-- Add a rule to a set.
-- :set_name  :position  :name  :pattern  :placeholder  :example  :counter_example  :contains
INSERT INTO rule (set_name, position, name, pattern, placeholder, example, counter_example, contains)
VALUES (:set_name, :position, :name, :pattern, :placeholder, :example, :counter_example, :contains);
