"""Measurements of speed, size and honesty; `python -m benchmarks` writes them into docs/benchmarks.md."""
