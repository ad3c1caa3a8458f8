"""SQLAlchemy's view of dmPython: Oracle's statements as far as DM8 shares them, in simple forms."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.oracle import TIMESTAMP
from sqlalchemy.dialects.oracle.base import OracleDialect, OracleIdentifierPreparer
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import IsolationLevel

from connectors.sql.dialects.oracle_catalogue import spelt

_VERSION = (11, 2)
"""Of the Oracle whose forms it shares: LIMIT by ROWNUM, no identity columns, no BOOLEAN."""
_THERE = text(
    "SELECT COUNT(*) FROM all_tables WHERE table_name = :name"
    " AND owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
)
_WORDS = (
    "abort array bigint case cluster columns commit comment contains cross day default domain "
    "else end except exchange extern fetch first foreign hour identity index key level link "
    "manifest minute month move number object of off on option order other over owner percent "
    "primary reference references reverse row rownum rows schema second section share start "
    "stat store sum table then timestamp to top trigger trxid type union unique until user "
    "using value values varray verify version view when where while with year "
)
"""Words that a name may be and that DM8 keeps for itself, or might: they are quoted."""


class _Names(OracleIdentifierPreparer):
    reserved_words = OracleIdentifierPreparer.reserved_words | set(_WORDS.split())


class DmDriver(OracleDialect):
    """As Oracle 11, over dmPython."""

    name = "dm"
    driver = "dmPython"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_sane_multi_rowcount = False
    supports_comments = False
    preparer = _Names
    max_identifier_length = 128
    colspecs = {**OracleDialect.colspecs, TIMESTAMP: TIMESTAMP}  # noqa: RUF012
    """A TIMESTAMP stays one; Oracle's view makes of it a DATE, which has no hours here."""
    insert_returning = update_returning = delete_returning = False

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver."""
        return import_module("dmPython")

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """As dmPython names them."""
        found = url.translate_connect_args(username="user", host="server")
        return [], {**found, **url.query}

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:  # noqa: ANN401, ARG002
        return _VERSION

    def _check_max_identifier_length(self, connection: Any) -> int:  # noqa: ANN401, ARG002
        return self.max_identifier_length

    def get_default_isolation_level(
        self,
        dbapi_conn: Any,  # noqa: ANN401, ARG002 - SQLAlchemy's
    ) -> IsolationLevel:
        """As the server's is."""
        return "READ COMMITTED"

    def has_table(
        self,
        connection: Any,  # noqa: ANN401 - SQLAlchemy's
        table_name: str,
        schema: str | None = None,
        **_more: Any,  # noqa: ANN401
    ) -> bool:
        """Whether the dictionary has it.

        Args:
            connection: SQLAlchemy's.
            table_name: in lower case for one without quotation marks.
            schema: likewise; None: the login's own.
            **_more: handed on by SQLAlchemy; not used.
        """
        at = {
            "name": spelt(table_name),
            "home": spelt(schema) if schema else None,
        }
        return bool(connection.execute(_THERE, at).scalar())
