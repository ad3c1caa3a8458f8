"""Dataset-level expectations on staged rows, by SQL or by Great Expectations: same verdicts.

In: the address of a staged table. Out: findings: names and numbers, never a value.
Rows are looked at inside PostgreSQL.
"""
