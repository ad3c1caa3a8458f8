"""Migrations of ledger and quarantine, by Alembic, under an advisory lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import psycopg

from onecard.errors import ConfigError
from onecard.store import database, locks, server_log
from onecard.store.refusals import refusals

HEAD = "0033"
"""The newest revision in `sql/migrations`; a test holds it equal to the files."""


def current(address: str) -> str | None:
    """The database's revision, or None for an empty database."""
    with database.connect(address, autocommit=True) as connection:
        if not database.relation_exists(connection, "ledger.schema_version"):
            return None
        return database.scalar(connection, str, "SELECT version_num FROM ledger.schema_version")


def upgrade(address: str) -> str:
    """Bring the database to HEAD and return the revision; raises as `database.connect`."""
    from alembic import command  # noqa: PLC0415 - heavy, and not on the path of a transfer
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    config = Config()
    folder = Path(__file__).parents[2] / "sql" / "migrations"
    config.set_main_option("script_location", str(folder))
    engine = create_engine(database.sqlalchemy_url(address))
    with refusals(psycopg.Error, DBAPIError), engine.begin() as connection:
        session = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        locks.hold_in_transaction(session, locks.Kind.MIGRATION)
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS ledger"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        server_log.leave_out_rows(session)
    engine.dispose()
    return HEAD


def require(address: str) -> None:
    """Check that the database is at HEAD.

    Raises:
        ConfigError: it is not; says which command mends it.
    """
    found = current(address)
    if found != HEAD:
        msg = f"the hub's database is at revision {found or 'none'}, this version needs {HEAD}: "
        raise ConfigError(msg + "run `onecard db upgrade`")
