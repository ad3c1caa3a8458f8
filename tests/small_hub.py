"""A hub with one small dataset of one agency, a table or a folder of files, for whole nights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml
from sqlalchemy.engine import make_url

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import database
from schemas.models import catalogue
from tests import forked

DATASET, TABLE = "hrss/small", "registry.hrss__small"
DAY = datetime.fromisoformat("2026-11-10T02:00:00+08:00")
"""The first night."""


def contract(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A contract of ODCS: key `code`, `amount` decimal(10,2), `updated`; `seq` where it orders.

    Args:
        source: its source block.
        **more: `status`, `sequence`, `order`, `quality`, and `fields` that come after the others.
    """

    def item(name: str, kind: str, semantic: str, **extra: Any) -> dict[str, Any]:
        custom = [{"property": "semantic", "value": semantic}, {"property": "pii", "value": "PI"}]
        base = {"name": name, "businessName": name, "physicalName": name, "logicalType": kind}
        return {**base, "classification": "L3", "customProperties": custom, **extra}

    text = {"logicalTypeOptions": {"maxLength": 20}}
    key = {"primaryKey": True, "primaryKeyPosition": 1, "required": True}
    fields = [
        item("code", "string", "identifier", **text, **key),
        item("amount", "number", "money", physicalType="decimal(10,2)", required=True),
        item("updated", "timestamp", "instant"),
        *([item("seq", "integer", "sequence")] if more.get("sequence") else []),
        *more.get("fields", []),
    ]
    sequence = [{"property": "sequence", "value": "seq"}] if more.get("sequence") else []
    order = [{"property": "order", "value": more["order"]}] if more.get("order") else []
    server = [{"property": "source", "value": source}]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": DATASET,
        "name": "小表",
        "version": "1.0.0",
        "status": more.get("status", "active"),
        "domain": "hrss",
        "description": {"purpose": "试验。"},
        "customProperties": [{"property": "shareType", "value": "2"}, *sequence, *order],
        "slaProperties": [{"property": "freshness", "value": "P30D"}],
        "servers": [{"server": "hrss", "type": "custom", "customProperties": server}],
        "schema": [
            {
                "name": "small",
                "physicalName": "small",
                "businessName": "小表",
                "logicalType": "object",
                "properties": fields,
                "quality": more.get("quality", []),
            }
        ],
    }


@dataclass
class SmallHub:
    """The hub, and what the agency does."""

    home: Path
    hub_url: str
    agency_url: str
    night: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, source: dict[str, Any], **more: Any) -> None:
        """Put the contract; arguments as of `contract`."""
        folder = self.home / "schemas" / "contracts" / "hrss"
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(contract(source, **more), allow_unicode=True, sort_keys=False)
        (folder / "small.odcs.yaml").write_text(text, encoding="utf-8")

    def table(self, *, cursor: bool = False, **more: Any) -> None:
        """The contract over a table of the agency's PostgreSQL, whose amounts are texts."""
        source = {"connector": "sql", "connection": "small_db", "options": {"table": "small"}}
        self.write(source | ({"cursor": "updated"} if cursor else {}), **more)
        self.agency(
            "CREATE TABLE IF NOT EXISTS small (code text, amount text, updated timestamptz, seq bigint)"
        )

    def files(self, kind: str = "csv", **more: Any) -> None:
        """The contract over a folder of files, of CSV or of another kind."""
        options = {"directory": "in", "pattern": f"*.{kind}", "format": {"kind": kind}}
        self.write({"connector": "files", "connection": "small_files", "options": options}, **more)
        (self.home / "files" / "in").mkdir(parents=True, exist_ok=True)

    def put(self, name: str, rows: Sequence[tuple[object, ...]], header: str = "") -> None:
        """A file of the agency: code, amount, updated."""
        lines = [header or "code,amount,updated", *(",".join(map(str, row)) for row in rows)]
        file = self.home / "files" / "in" / name
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def agency(self, statement: str, *values: object) -> int:
        """What the agency does to its own tables; returns the rows."""
        with psycopg.connect(self.agency_url) as connection:
            return connection.execute(statement.encode(), values).rowcount

    def insert(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Rows of the agency's table: code, amount, updated."""
        with psycopg.connect(self.agency_url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                b"INSERT INTO small (code, amount, updated) VALUES (%s, %s, %s)", rows
            )

    @property
    def now(self) -> datetime:
        """The hub's clock."""
        return DAY + timedelta(days=self.night)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process of the hub, at this night."""
        url = make_url(self.agency_url)
        small = {
            "conn_type": "postgres",
            "host": url.query.get("host") or url.host or "127.0.0.1",
            "port": url.port or 5432,
            "schema": url.database,
            "login": url.username,
            "password": url.password or "",
        }
        return {
            "ONECARD_HOME": str(self.home),
            "ONECARD_KEYS_FILE": str(self.home / "keys.json"),
            "ONECARD_SCHEMAS": str(self.home / "schemas"),
            "ONECARD_DATABASE_URL": self.hub_url,
            "ONECARD_NOW": self.now.isoformat(),
            "AIRFLOW_CONN_SMALL_DB": json.dumps(small),
            "AIRFLOW_CONN_SMALL_FILES": json.dumps(
                {"conn_type": "fs", "extra": {"path": str(self.home / "files")}}
            ),
            **self.environment,
        }

    @property
    def hub(self) -> Hub:
        """A hub that reads everything anew."""
        found = self.variables
        return Hub(Settings.load(found), EnvironmentConnections(found))

    def collect(self, *, whole: bool = False) -> Any:
        """Collect, then the next night comes."""
        try:
            return self.hub.collect(DATASET).run(whole=whole)
        finally:
            self.night += 1

    def onecard(self, *arguments: str) -> tuple[int, str]:
        """The command line: exit code, and all it says."""
        done = forked.onecard(self.variables, *arguments)
        return done.returncode, done.stdout + done.stderr

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the hub's own database."""
        with database.connect(self.hub_url, autocommit=True) as connection:
            found: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return found

    def amounts(self) -> dict[str, str]:
        """What is published, by code."""
        found = self.ask(f"SELECT code, amount::text FROM {TABLE} WHERE _deleted_at IS NULL")
        return {code: str(amount) for code, amount in found}

    def records(self) -> list[tuple[int, str]]:
        """Id and status of all quarantined rows."""
        return self.ask("SELECT id, status FROM quarantine.record ORDER BY id")


@contextmanager
def small_hub(home: Path, hub_url: str, agency_url: str) -> Iterator[SmallHub]:
    """A hub below `home`, on two databases that are there.

    Args:
        home: a folder.
        hub_url: of the hub, migrated.
        agency_url: of the agency, empty.
    """
    shutil.copytree(
        catalogue.ROOT,
        home / "schemas",
        ignore=shutil.ignore_patterns(
            *("*.py", "__pycache__", "contracts", "agreements", "reaction.yaml")
        ),
    )
    for name in ("contracts", "agreements"):
        (home / "schemas" / name).mkdir()
    keys.create(home / "keys.json", ["bureau"], "2026")
    yield SmallHub(home, hub_url, agency_url)
