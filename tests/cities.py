"""Cities for tests: each kind is made once for all workers of a run, then cloned.

A kind is a population and a number of nights that the hub has run. Its template is what
`demo.rehearsal.start` leaves, and those nights: a folder, the hub's database and the agencies'. A
clone is a copy of the folder and `CREATE DATABASE ... TEMPLATE`; it belongs to its test alone.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql
from sqlalchemy.engine import make_url

from demo import rehearsal
from demo.rehearsal import Databases, Rehearsal
from demo.run import DemoCity
from demo.servers import AgencyServers
from onecard.operations import night
from onecard.store import database, migrate


@dataclass(frozen=True, slots=True)
class Kind:
    """What cities of one template have in common.

    Attributes:
        persons: residents on day 0.
        seed: of the population and its defects.
        nights: how many nights the hub has run, each without a failure.
    """

    persons: int
    seed: int
    nights: int = 0

    @property
    def name(self) -> str:
        """Of its template's folder and databases."""
        return f"city_{self.persons}_{self.seed}_{self.nights}"


@dataclass(frozen=True, slots=True)
class Cities:
    """Makes cities on one server.

    Attributes:
        server: address of a PostgreSQL server where databases may be made.
        folder: holds the templates; all workers of a run have the same.
        agencies: this worker's HTTP and SFTP servers, which serve the city that began last.
    """

    server: str
    folder: Path
    agencies: AgencyServers

    @contextmanager
    def start(self, home: Path, *, persons: int, seed: int, nights: int = 0) -> Iterator[Rehearsal]:
        """A city of one's own and a hub beside it, as `demo.rehearsal.start` makes them.

        Airflow's database is named in the environment and not made: see `with_airflow`.

        Args:
            home: a folder that is not there yet.
            persons: residents on day 0.
            seed: of the population and its defects.
            nights: how many nights have been run.
        """
        kind = Kind(persons, seed, nights)
        template = self._template(kind)
        shutil.copytree(template, home)
        prefix = f"{kind.name}_{secrets.token_hex(4)}"
        databases = self._cloned(kind.name, prefix)
        city = DemoCity(home / "city", databases.agencies, seed=seed, persons=persons)
        try:
            with city.serving(self.agencies) as addresses:
                known = rehearsal.surroundings(home, city, addresses, databases)
                yield Rehearsal(home, city, known)
        finally:
            for part in ("hub", "agencies", "airflow"):
                database.drop_database(self.server, f"{prefix}_{part}")

    def _template(self, kind: Kind) -> Path:
        """The folder of a template, made when it is not there."""
        made = self.folder / kind.name
        with alone(self.folder / f"{kind.name}.lock"):
            if not made.exists():
                draft = self.folder / f"{kind.name}.draft"
                if kind.nights:
                    self._run_night(kind, draft)
                else:
                    self._make(kind, draft)
                draft.rename(made)
        return made

    def _make(self, kind: Kind, home: Path) -> None:
        """A template before its first night."""
        with rehearsal.start(
            home,
            persons=kind.persons,
            seed=kind.seed,
            postgres=self.server,
            servers=self.agencies,
        ) as stage:
            self._keep(stage, kind)

    def _run_night(self, kind: Kind, home: Path) -> None:
        """A template after its last night, from the one before that."""
        day = kind.nights - 1
        with self.start(home, persons=kind.persons, seed=kind.seed, nights=day) as stage:
            if day:
                stage.city.prepare(day)
            outcome = night.run(stage.hub(day))
            assert (outcome.failed, outcome.held) == ({}, {})
            self._keep(stage, kind)

    def _keep(self, stage: Rehearsal, kind: Kind) -> None:
        """Clone the databases of a city under its template's name."""
        for part, url in (
            ("hub", stage.environment["ONECARD_DATABASE_URL"]),
            ("agencies", stage.city.postgres_url),
        ):
            clone(self.server, str(make_url(url).database), f"{kind.name}_{part}")

    def _cloned(self, template: str, prefix: str) -> Databases:
        for part in ("hub", "agencies"):
            clone(self.server, f"{template}_{part}", f"{prefix}_{part}")
        url = make_url(self.server)
        return Databases(
            *(
                url.set(database=f"{prefix}_{part}").render_as_string(hide_password=False)
                for part in ("hub", "agencies", "airflow")
            )
        )


@contextmanager
def empty_hub(server: str, folder: Path) -> Iterator[str]:
    """A hub's database of one's own, as the migrations make it.

    Args:
        server: where it is made.
        folder: notes that the template is there; all workers of a run have the same.
    """
    template, name = "empty_hub", f"hub_{secrets.token_hex(6)}"
    made = folder / f"{template}.made"
    with alone(folder / f"{template}.lock"):
        if not made.exists():
            migrate.upgrade(database.create_database(server, template))
            made.touch()
    clone(server, template, name)
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        database.drop_database(server, name)


def with_airflow(stage: Rehearsal) -> Rehearsal:
    """Make Airflow's database of a city, empty; it goes with the city."""
    address = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    database.create_database(stage.city.postgres_url, str(make_url(address).database))
    return stage


def clone(server: str, template: str, name: str) -> None:
    """A database that is as another one is now; nobody may be connected to that."""
    statement = database.query(
        "CREATE DATABASE {n} TEMPLATE {t} STRATEGY FILE_COPY",
        n=sql.Identifier(name),
        t=sql.Identifier(template),
    )
    with database.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file: workers take turns."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
