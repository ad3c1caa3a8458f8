"""The simulated city: all agencies' systems, their connections, their truth and their inboxes."""

from __future__ import annotations

import json
import secrets
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy.engine import make_url

from demo import inbox, progress, serve
from demo.calendar import Day
from demo.planting import Planter
from demo.servers import SECRETS, Addresses, AgencyServers
from demo.systems import Systems
from demo.world import World
from schemas.models import catalogue

TYPED = ("hrss_db", "transport_files")
"""Systems whose columns have types; the others carry text."""
SECRET_IDS = (
    "hrss_api",
    "health_api",
    "medical_insurance_api",
    "bank_api",
    "operator_api",
    "education_sftp",
)
INBOX_ONLY = {
    "bank": "bank_api",
    "operator": "operator_api",
    "health": "health_api",
    "medical_insurance": "medical_insurance_api",
}


class DemoCity:
    """A city of simulated agencies below one folder.

    Args:
        home: folder for files, HTTP data, secrets, inboxes and truth.
        postgres_url: database for the bureau of human resources and for the big data bureau.
        seed: of population and defects.
        persons: residents on day 0.
        mariadb_url: database of the housing fund; default: a SQLite file.
    """

    def __init__(
        self,
        home: Path,
        postgres_url: str,
        *,
        seed: int = 20240101,
        persons: int = 20_000,
        mariadb_url: str | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.home, self.seed, self.persons = home, seed, persons
        self._world = World(seed, persons)
        self._postgres = postgres_url
        self._housing = mariadb_url or f"sqlite:///{home / 'housing_fund.sqlite'}"
        self._systems = Systems(home, postgres_url, self._housing)
        self.catalogue = catalogue.load()
        self._secrets = self._make_secrets()
        for folder in ("transport/inbox", "sftp/inbox"):
            (home / folder).mkdir(parents=True, exist_ok=True)

    def prepare(self, number: int) -> None:
        """Make a day: its rows, defects and deletes in all systems, and the truth about them."""
        folder = self.home / "truth" / f"day-{number}"
        summary = {}
        for dataset, contract in sorted(self.catalogue.contracts.items()):
            as_text = contract.source.connection not in TYPED
            planter = Planter(contract, self.seed, number, as_text=as_text)
            truth = self._systems.write(
                contract, planter, self._world.rows(dataset, number), Day(number)
            )
            truth.write(folder, contract)
            summary[dataset] = {
                "rows": truth.rows,
                "duplicates": truth.duplicates,
                "defects": len(truth.defects),
            }
            progress.ended(dataset)
        gone = self._world.deleted_ecards(number)
        if gone:
            self._systems.delete_ecards(self.catalogue.contracts["hrss/ecard_binding"], gone)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))

    @property
    def postgres_url(self) -> str:
        """Database of the bureau of human resources and of the big data bureau."""
        return self._postgres

    def summary(self, number: int) -> dict[str, dict[str, int]]:
        """Rows, duplicates and defects of each dataset on a day."""
        found: dict[str, dict[str, int]] = json.loads(
            (self.home / "truth" / f"day-{number}" / "summary.json").read_text()
        )
        return found

    def now(self, number: int) -> datetime:
        """When the night of a day runs."""
        return Day(number).night

    def serving(self, servers: AgencyServers | None = None) -> AbstractContextManager[Addresses]:
        """The city's servers: while the context lasts, it can be asked and delivered to.

        Args:
            servers: running servers of this process to use; default: a process of their own.
        """
        return (servers or serve).serving(self.home)

    def environment(self, addresses: Addresses) -> dict[str, str]:
        """`AIRFLOW_CONN_<ID>` of every system, as JSON."""
        connections: dict[str, dict[str, Any]] = {
            "hrss_db": _database(self._postgres),
            "bureau_db": _database(self._postgres),
            "housing_fund_db": _database(self._housing),
            "transport_files": {"conn_type": "fs", "extra": {"path": str(self.home / "transport")}},
            "education_sftp": {
                "conn_type": "sftp",
                "host": "127.0.0.1",
                "port": addresses.sftp,
                **self._secrets["education_sftp"],
                "extra": {"host_key": addresses.sftp_host_key},
            },
        }
        for name, port in addresses.http.items():
            connections[name] = {
                "conn_type": "http",
                "host": "127.0.0.1",
                "port": port,
                **self._secrets[name],
            }
        return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()}

    def inbox(self, consumer: str) -> dict[str, pl.DataFrame]:
        """What a consumer holds, by agreement: of each key the row that came last.

        Rows handed back for correction lie in the same inbox and are left out.
        """
        known = self.catalogue.agreements
        return {
            name: frame.unique(list(known[name].key), keep="last", maintain_order=True)
            if len(frame)
            else frame
            for name, frame in self._received(consumer).items()
            if name in known
        }

    def _received(self, consumer: str) -> dict[str, pl.DataFrame]:
        if consumer in INBOX_ONLY:
            return inbox.http(self.home / "inbox" / INBOX_ONLY[consumer])
        if consumer == "transport":
            return inbox.files(self.home / "transport" / "inbox")
        if consumer == "education":
            return inbox.files(self.home / "sftp" / "inbox")
        agreements = [a.id for a in self.catalogue.agreements.values() if a.consumer == consumer]
        postgres = "postgresql+psycopg://" + self._postgres.split("://", 1)[1]
        if consumer == "housing_fund":
            return inbox.tables(self._housing, None, "inbox_", agreements)
        schema = {"hrss": "inbox", "bureau": "bureau_inbox"}[consumer]
        return inbox.tables(postgres, schema, "", agreements)

    def _make_secrets(self) -> dict[str, dict[str, str]]:
        file = self.home / SECRETS
        if not file.exists():
            made = {
                name: {"login": f"hub-{name}", "password": secrets.token_urlsafe(24)}
                for name in SECRET_IDS
            }
            file.touch(mode=0o600)
            file.write_text(json.dumps(made))
        found: dict[str, dict[str, str]] = json.loads(file.read_text())
        return found


def _database(url: str) -> dict[str, Any]:
    parts = make_url(url)
    kind = {"sqlite": "sqlite", "mysql": "mysql"}.get(parts.get_backend_name(), "postgres")
    if kind == "sqlite":
        return {"conn_type": kind, "host": parts.database}
    return {
        "conn_type": kind,
        "host": parts.host,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.database,
        "extra": dict(parts.query),
    }
