"""Contracts, agreements, code lists and semantic types: YAML and CSV files, and their models.

In: what agencies and consumers have agreed on, as files. Out: frozen models; problems by line.
A rule, a code list, a mask stands here and nowhere else.
"""
