"""An agency with one small dataset, a hub for it, and the night after night of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.collect.publish import Collected
from onecard.crypto import keys
from onecard.model.reconciliations import ReconciliationResult
from onecard.model.transfers import Counts
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.store import database, rule_counts, transfers
from schemas.models import catalogue

DATASET, AGENCY, CONNECTION = "hrss/thing", "hrss", "things"
NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)
TYPES = {
    "k": ("string", "text"),
    "v": ("string", "text"),
    "seq": ("integer", "sequence"),
    "at": ("timestamp", "instant"),
}


@dataclass
class Office:
    """One dataset `hrss/thing` with the fields that a test needs.

    Attributes:
        address: of the hub's database.
        source: connector and options, as in the contract's `source`.
        connection: of the agency's system.
        custom: the contract's own custom properties: `sequence`, `order`.
    """

    address: str
    home: Path
    source: dict[str, Any]
    connection: dict[str, Any]
    fields: tuple[str, ...] = ("k", "v")
    custom: dict[str, Any] = field(default_factory=dict)
    day: int = 0

    def write(self) -> Path:
        """Write agencies and contract; returns the folder of the schemas."""
        root = self.home / "schemas"
        folder = root / "contracts" / AGENCY
        folder.mkdir(parents=True, exist_ok=True)
        agencies = (catalogue.ROOT / "agencies.yaml").read_text(encoding="utf-8")
        (root / "agencies.yaml").write_text(agencies, encoding="utf-8")
        text = yaml.safe_dump(self._contract(), allow_unicode=True, sort_keys=False)
        (folder / "thing.odcs.yaml").write_text(text, encoding="utf-8")
        return root

    def _contract(self) -> dict[str, Any]:
        source = {"connection": CONNECTION, **self.source}
        return {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": DATASET,
            "name": "事项",
            "version": "1.0.0",
            "status": "active",
            "domain": AGENCY,
            "description": {"purpose": "试验"},
            "customProperties": [
                {"property": name, "value": value} for name, value in self.custom.items()
            ],
            "slaProperties": [{"property": "freshness", "value": "P1D"}],
            "servers": [
                {
                    "server": AGENCY,
                    "type": "custom",
                    "customProperties": [{"property": "source", "value": source}],
                }
            ],
            "schema": [
                {
                    "name": "thing",
                    "physicalName": "thing",
                    "logicalType": "object",
                    "properties": [self._field(name) for name in self.fields],
                    "quality": [self._relaxed()],
                }
            ],
        }

    @staticmethod
    def _relaxed() -> dict[str, Any]:
        """A dataset of three rows may lose half of them."""
        return {
            "name": "shrinkage",
            "description": "来源未骤减",
            "type": "custom",
            "engine": "onecard",
            "dimension": "coverage",
            "severity": "warning",
            "implementation": {"check": "shrinkage", "reason": "a test"},
        }

    @staticmethod
    def _field(name: str) -> dict[str, Any]:
        kind, semantic = TYPES[name]
        found: dict[str, Any] = {
            "name": name,
            "businessName": name,
            "physicalName": name,
            "logicalType": kind,
            "classification": "L2",
            "customProperties": [
                {"property": "semantic", "value": semantic},
                {"property": "pii", "value": "PI"},
            ],
        }
        if kind == "string":
            found["logicalTypeOptions"] = {"maxLength": 20}
        if name == "k":
            found |= {"primaryKey": True, "primaryKeyPosition": 1, "required": True}
        return found

    def hub(self) -> Hub:
        """A hub that reads everything anew, at the night of `day`."""
        file = self.home / "keys.json"
        if not file.exists():
            keys.create(file, ["bureau"], "2026")
        settings = Settings(
            home=self.home,
            keys_file=file,
            schemas=self.write(),
            database_url=self.address,
            fixed_now=NOW + timedelta(days=self.day),
        )
        name = f"AIRFLOW_CONN_{CONNECTION.upper()}"
        return Hub(settings, EnvironmentConnections({name: json.dumps(self.connection)}))

    def night(self, *, whole: bool = False) -> Collected:
        """One night's collect."""
        self.day += 1
        return self.hub().collect(DATASET).run(whole=whole)

    def counts(self, *, whole: bool = False) -> dict[str, int]:
        """One night's collect: the counts that are not nought."""
        found = self.night(whole=whole).counts
        return {n: getattr(found, n) for n in Counts.__slots__ if getattr(found, n)}

    def reconcile(self, **options: Any) -> ReconciliationResult:
        """Compare the registry with the source."""
        return reconcile(self.hub(), DATASET, ReconcileOptions(**options))

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the hub's database."""
        with database.connect(self.address, autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(statement.encode()).fetchall()
        return rows

    @property
    def published(self) -> dict[str, str]:
        """Value by key of what is published and not deleted."""
        return dict(self.ask("SELECT k, v FROM registry.hrss__thing WHERE _deleted_at IS NULL"))

    @property
    def version(self) -> int:
        """Of the registry table."""
        return int(
            self.ask(f"SELECT version FROM ledger.dataset WHERE dataset = '{DATASET}'")[0][0]
        )

    def findings(self, done: Collected) -> dict[str, int]:
        """Rows by rule of what a collect found."""
        with database.connect(self.address, autocommit=True) as connection:
            return {r.rule: r.failed for r in rule_counts.broken_rules(connection, [done.transfer])}

    def message(self, done: Collected) -> str:
        """What the ledger says of a transfer."""
        with database.connect(self.address, autocommit=True) as connection:
            return transfers.message(connection, done.transfer)


def csv_folder(home: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Source and connection of a folder of CSV files, `home/files/out`."""
    (home / "files" / "out").mkdir(parents=True)
    options = {"directory": "out", "pattern": "*.csv", "format": {"kind": "csv"}}
    return (
        {"connector": "files", "options": options},
        {"conn_type": "fs", "extra": {"path": str(home / "files")}},
    )


def put(home: Path, name: str, *rows: str, head: str = "k,v", time: str | None = None) -> None:
    """Put a CSV file into the folder; with a time also its manifest."""
    file = home / "files" / "out" / name
    file.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    if time is not None:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        note = {"rows": len(rows), "sha256": digest, "time": time}
        Path(f"{file}.manifest.json").write_text(json.dumps(note), encoding="utf-8")


def remove(home: Path, name: str) -> None:
    """Take a file and its manifest away."""
    file = home / "files" / "out" / name
    file.unlink()
    Path(f"{file}.manifest.json").unlink(missing_ok=True)
