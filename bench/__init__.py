"""Speed, as ratios against the bare limit in the same run: `make bench`, docs/performance.md."""
