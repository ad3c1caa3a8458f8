"""Contracts, agreements, code lists and semantic types: the YAML and CSV files and their models."""
