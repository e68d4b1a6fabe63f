"""Measurements against plain baselines: `python -m benchmarks.<name>` prints a table and writes a CSV file."""
