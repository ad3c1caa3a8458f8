"""The databases of a bench run: the agency's card table, the hub, and the peers' target."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from demo.calendar import Day
from demo.hot import fill_card_master
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import database, migrate

TABLE = 'hrss."ac01_card"'
HOME = Path(__file__).parents[1] / ".bench"
"""Where servers, keys and peers live unless told otherwise."""

_TABLES = (
    "SELECT c.oid::regclass::text, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"
    " AND i.indisprimary) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'peer'::regnamespace"
    " AND lower(a.attname) = 'aaz500'"
)


@dataclass(frozen=True, slots=True)
class World:
    """Addresses of one bench run."""

    home: Path
    source: str
    hub: str
    target: str
    rows: int

    def environment(self) -> dict[str, str]:
        """What a process of the hub needs."""
        url = make_url(self.source)
        connection = {
            "conn_type": "postgres",
            "host": url.host,
            "port": url.port,
            "login": url.username,
            "password": url.password,
            "schema": url.database,
            "extra": dict(url.query),
        }
        return {
            "ONECARD_HOME": str(self.home),
            "ONECARD_DATABASE_URL": self.hub,
            "ONECARD_PROFILE": "demo",
            "ONECARD_NOW": Day(0).night.isoformat(),
            "AIRFLOW_CONN_HRSS_DB": json.dumps(connection),
        }

    def forget(self) -> None:
        """Make the hub anew, empty, as before a first load."""
        name = make_url(self.hub).database
        database.drop_database(self.source, str(name))
        migrate.upgrade(database.create_database(self.source, str(name)))

    def settle(self) -> None:
        """Have the server write what it holds, so that no run pays for pages that another left."""
        with psycopg.connect(self.hub, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def empty_target(self) -> None:
        """Drop whatever a peer has made."""
        with psycopg.connect(self.target, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS peer CASCADE")
            connection.execute("DROP SCHEMA IF EXISTS peer_staging CASCADE")
            connection.execute("CREATE SCHEMA peer")

    def check_target(self, share: float = 1.0, *, keyed: bool = True) -> None:
        """That a peer has moved the rows and that its table has the key.

        Args:
            share: of the rows that it was given.
            keyed: whether the table must have a primary key.

        Raises:
            RuntimeError: rows are missing or there are too many, or there is no key.
        """
        with psycopg.connect(self.target) as connection:
            tables = connection.execute(_TABLES).fetchall()
            if len(tables) != 1:
                msg = f"{len(tables)} tables with cards in the target"
                raise RuntimeError(msg)
            ((table, has_key),) = tables
            count = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        wanted = round(self.rows * share)
        if count != (wanted,) or has_key < keyed:
            msg = f"the target has {count} of {wanted} rows; primary key: {has_key}"
            raise RuntimeError(msg)

    def check_registry(self) -> None:
        """That the hub has published every row.

        Raises:
            RuntimeError: it has not.
        """
        with psycopg.connect(self.hub) as connection:
            count = connection.execute("SELECT count(*) FROM registry.hrss__card_master").fetchone()
        if count != (self.rows,):
            msg = f"the registry has {count} of {self.rows} rows"
            raise RuntimeError(msg)

    def collect(self, *more: str) -> list[str]:
        """The hub's own command."""
        return [
            str(Path(sys.executable).with_name("onecard")),
            "collect",
            "hrss/card_master",
            *more,
        ]


@contextmanager
def filled(home: Path, rows: int, server: str | None = None) -> Iterator[World]:
    """Databases of which the source holds a card table of so many clean rows; dropped at the end.

    Args:
        home: of the hub, and of the embedded server where no other is named.
        rows: of the card table.
        server: address; default: ONECARD_BENCH_POSTGRES, or the embedded one.
    """
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, keys_file=home / "keys.json")
    base = server or os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
    names = {kind: f"bench_{kind}_{secrets.token_hex(3)}" for kind in ("source", "hub", "target")}
    try:
        urls = {kind: database.create_database(base, name) for kind, name in names.items()}
        fill_card_master(urls["source"], "hrss", rows)
        with psycopg.connect(urls["source"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE hrss.ac01_card")
        yield World(home, urls["source"], urls["hub"], urls["target"], rows)
    finally:
        for name in names.values():
            database.drop_database(base, name)


@contextmanager
def world(home: Path, rows: int) -> Iterator[World]:
    """As `filled`, with a hub of its own keys at the newest revision."""
    with filled(home, rows) as w:
        settings = Settings(home=home, keys_file=home / "keys.json")
        migrate.upgrade(w.hub)
        settings.keys_file.unlink(missing_ok=True)
        keys.create(settings.keys_file, ["operator"], "2026")
        yield w
