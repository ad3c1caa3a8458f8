"""Databases: PostgreSQL by COPY, MariaDB/MySQL and SQLite over SQLAlchemy.

In: a connection, a table, a bound. Out: Arrow batches; inboxes are upserted in one transaction.
Errors leave without a row's value.
"""
