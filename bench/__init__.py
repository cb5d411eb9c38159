"""Benchmarks: each ends with one line that states its figure and its verdict, and exits 1 on a miss."""
