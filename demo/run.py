"""The simulated city: all agencies' systems, their truth and their inboxes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import polars as pl

from demo import inbox, progress, receivers, serve
from demo.calendar import Day
from demo.inbox import Sending
from demo.logins import Logins
from demo.planting import Planter
from demo.servers import Addresses, AgencyServers
from demo.systems import Systems
from demo.world import World
from schemas.models import catalogue
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract

TYPED = ("hrss_db", "transport_files")
"""Systems whose columns have types; the others carry text."""
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
        self._logins = Logins.of(home)
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
        back = self._world.withdrawn_deaths(number)
        if back:
            contract = self.catalogue.contracts["health/death_notice"]
            self._systems.delete_deaths(contract, back)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))

    def add(self, contract: Contract, rows: pl.DataFrame) -> None:
        """Write sound rows that come in the middle of a day, as their agency does.

        Args:
            contract: of a dataset that is read by HTTP.
            rows: as text, under the contract's names.
        """
        self._systems.add(contract, rows)

    def login(self, connection: str) -> Mapping[str, str]:
        """Login and password of a connection: of an API, of the SFTP server, for wake-ups."""
        return self._logins.known[connection]

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
        return self._logins.environment(addresses, self._postgres, self._housing)

    def inbox(self, consumer: str) -> dict[str, pl.DataFrame]:
        """What a consumer holds, by agreement: of each key the row that came last.

        Rows handed back for correction lie in the same inbox and are left out, and so are those
        that the consumer was told to drop.
        """
        known = self.catalogue.agreements
        tables = self._tables(consumer, [a.id for a in known.values() if a.consumer == consumer])
        if tables is not None:
            return tables
        return {
            name: inbox.holding(sendings, known[name].key)
            for name, sendings in self._sendings(consumer).items()
            if name in known
        }

    def held(self, agreement: Agreement) -> pl.DataFrame:
        """What the consumer of one agreement holds; as `inbox` gives it, without the others."""
        tables = self._tables(agreement.consumer, [agreement.id])
        if tables is not None:
            return tables.get(agreement.id, pl.DataFrame())
        sendings = self._sendings(agreement.consumer, agreement.id).get(agreement.id, [])
        return inbox.holding(sendings, agreement.key)

    def _sendings(self, consumer: str, agreement: str = "*") -> dict[str, list[Sending]]:
        """What came into an inbox of parcels, by agreement.

        Args:
            consumer: whose.
            agreement: this one only; default: all.
        """
        keys = self.home / receivers.FOLDER / consumer
        if consumer in INBOX_ONLY:
            return inbox.http_sendings(self.home / "inbox" / INBOX_ONLY[consumer], agreement, keys)
        folder = {"transport": "transport", "education": "sftp"}[consumer]
        return inbox.file_sendings(self.home / folder / "inbox", agreement, keys)

    def _tables(self, consumer: str, agreements: list[str]) -> dict[str, pl.DataFrame] | None:
        """Inboxes of tables, which the hub itself keeps up to date; None: another kind.

        Args:
            consumer: whose.
            agreements: those to look at.
        """
        if consumer == "housing_fund":
            return inbox.tables(self._housing, None, "inbox_", agreements)
        schema = {"hrss": "inbox", "bureau": "bureau_inbox"}.get(consumer)
        if schema is None:
            return None
        postgres = "postgresql+psycopg://" + self._postgres.split("://", 1)[1]
        return inbox.tables(postgres, schema, "", agreements)
