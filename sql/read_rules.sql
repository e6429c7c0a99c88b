-- Every set of rules, its rules in order; a set without rules is one row of NULLs.
SELECT s.name, s.kind, r.name, r.pattern, r.placeholder, r.example, r.counter_example, r.contains
FROM rule_set AS s LEFT JOIN rule AS r ON r.set_name = s.name
ORDER BY s.name, r.position;
