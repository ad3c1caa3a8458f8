"""Contracts as Great Expectations suites that anyone can run with GX alone.

In: contracts. Out: suites as JSON, and a folder of custom expectations that needs only GX.
What the row gate checks, said a second time; a test compares the two on the same rows.

`suites` compiles a contract to a list of expectations, `export` writes suites, the custom
expectations (`onecard_expectations`, which imports nothing of this project) and a README.

A suite looks at a dataset as its agency gives it: a table whose columns have the contract's names
and hold text (a pandas frame of strings, a PostgreSQL table of text columns). Types are therefore
checks like any other, as in the row gate; an agency's typed columns are cast to text, dates and
instants in ISO 8601.
"""
