"""Records as values: which table, partition and key each has. The one place that knows keys."""
