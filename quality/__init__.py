"""Checks: the row gate, dataset-level expectations, and the reports on them."""
