"""Investigation: from a question with times in words to rows with counts inside the range."""
