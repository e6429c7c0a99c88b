-- Where a sweep has got to: the last_us of the row appended last.
SELECT last_us FROM archive ORDER BY seq DESC LIMIT 1;
