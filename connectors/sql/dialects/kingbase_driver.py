"""SQLAlchemy's view of `ksycopg2`, KingbaseES's own descendant of psycopg2."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from connectors.sql.dialects.postgres_version import version


class KingbaseDriver(PGDialect_psycopg2):
    """As psycopg2, under its own name."""

    driver = "ksycopg2"
    supports_statement_cache = True

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - create_engine's
        more.setdefault("use_native_hstore", False)
        super().__init__(**more)  # type: ignore[no-untyped-call]

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver."""
        return import_module("ksycopg2")

    @property
    def _psycopg2_extensions(self) -> ModuleType:
        return import_module("ksycopg2.extensions")

    @property
    def _psycopg2_extras(self) -> ModuleType:
        return import_module("ksycopg2.extras")

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:  # noqa: ANN401
        return version(connection, (12,))
