"""Benchmarks against peers and limits: `python -m bench`."""
