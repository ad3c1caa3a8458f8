"""The hub's own database: all SQL on its tables stands here, a file for each family of tables.

In: an open connection and typed values. Out: typed rows of `onecard.model`.
Errors leave without the values that PostgreSQL quotes.
"""
