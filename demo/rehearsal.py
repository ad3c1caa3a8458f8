"""Sets the stage of a rehearsal: databases, keys, the agencies' systems, the environment."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo import progress, receivers
from demo.http_api import PUBLIC_KEYS
from demo.run import DemoCity
from demo.servers import Addresses, AgencyServers
from onecard.app.wiring import AuditEngine, Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import agreement_lives, database, embedded, migrate
from schemas.models import catalogue
from schemas.models.catalogue import Catalogue

REPOSITORY = Path(__file__).parents[1]
DATABASES, AGREEMENTS, SERVERS = "databases", "agreements approved", "agencies' servers"
"""Steps of a set-up, beside one for each dataset."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A running rehearsal.

    Attributes:
        city: the simulated agencies.
        environment: everything that a process of the hub needs, for `subprocess`.
    """

    home: Path
    city: DemoCity
    environment: dict[str, str]

    def at(self, day: int) -> dict[str, str]:
        """The environment with the hub's clock at the night of `day`."""
        return {**self.environment, "ONECARD_NOW": self.city.now(day).isoformat()}

    def hub(self, day: int, audit: AuditEngine = "sql") -> Hub:
        """A hub inside this process, at the night of `day`."""
        environment = self.at(day)
        return Hub(Settings.load(environment), EnvironmentConnections(environment), audit)


@dataclass(frozen=True, slots=True)
class Databases:
    """Addresses of a rehearsal's databases: the hub's, the agencies', Airflow's."""

    hub: str
    agencies: str
    airflow: str


@contextmanager
def start(
    home: Path,
    *,
    persons: int,
    seed: int,
    postgres: str | None = None,
    servers: AgencyServers | None = None,
) -> Iterator[Rehearsal]:
    """Make a fresh rehearsal below `home`, and take its servers down at the end.

    Args:
        home: emptied first; its databases are new.
        persons: size of the population.
        seed: of the population and its defects.
        postgres: a server to use, where private databases are made; default: an embedded one.
        servers: the agencies' servers, if this process runs them; default: a process of its own.
    """
    embedded.stop(home)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    suite = Settings.load().suite
    settings = Settings(home=home, keys_file=home / "keys.json", profile="demo", suite=suite)
    base = postgres or database.url(settings)
    prefix = f"onecard_{secrets.token_hex(4)}"
    hub_url = database.create_database(base, f"{prefix}_hub")
    agencies_url = database.create_database(base, f"{prefix}_agencies")
    airflow_url = database.create_database(base, f"{prefix}_airflow")
    migrate.upgrade(hub_url)
    progress.ended(DATABASES)
    known = catalogue.load()
    keys.create(settings.keys_file, known.agencies, "2026", callers=known.callers)
    approve_all(hub_url, known)
    progress.ended(AGREEMENTS)
    city = DemoCity(
        home / "city",
        agencies_url,
        seed=seed,
        persons=persons,
        mariadb_url=os.environ.get("ONECARD_DEMO_MARIADB"),
    )
    receivers.give_keys(city.home, known, settings)
    hub = Hub(settings, EnvironmentConnections({}))
    (city.home / PUBLIC_KEYS).write_text(json.dumps(hub.signer.public_keys()))
    city.prepare(0)
    try:
        with city.serving(servers) as addresses:
            progress.ended(SERVERS)
            databases = Databases(hub_url, agencies_url, airflow_url)
            yield Rehearsal(home, city, surroundings(home, city, addresses, databases))
    finally:
        if postgres:
            for kind in ("hub", "agencies", "airflow"):
                database.drop_database(base, f"{prefix}_{kind}")


def setup_steps() -> int:
    """How many steps `start` tells of (`demo.progress`)."""
    return len((DATABASES, AGREEMENTS, SERVERS)) + len(catalogue.load().contracts)


def surroundings(
    home: Path, city: DemoCity, addresses: Addresses, databases: Databases
) -> dict[str, str]:
    """Everything that a process of a rehearsal's hub finds in its environment, for `subprocess`.

    Args:
        home: the rehearsal's folder.
        city: its agencies.
        addresses: where their servers listen.
        databases: where the rehearsal's databases are.
    """
    return {
        **os.environ,
        **city.environment(addresses),
        **_airflow(home, databases.airflow),
        "ONECARD_HOME": str(home),
        "ONECARD_PROFILE": "demo",
        "ONECARD_DATABASE_URL": databases.hub,
    }


def approve_all(address: str, known: Catalogue) -> None:
    """Approve every served agreement, as the rehearsal's official."""
    with database.connect(address, autocommit=True) as connection:
        for agreement in known.agreements.values():
            if agreement.served:
                agreement_lives.approve(connection, agreement, "演练批准人", "演练批复〔2026〕1号")


def _airflow(home: Path, url: str) -> dict[str, str]:
    folder = home / "airflow"
    return {
        "AIRFLOW_HOME": str(folder),
        # `airflow standalone` starts its parts by name.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
        # With few slots each waits after a task until the scheduler looks again.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        # A task reads its YAML when it runs; the DAG processor needs to see only what is new.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.sqlalchemy_url(url),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONPATH": os.pathsep.join(
            [str(REPOSITORY), str(REPOSITORY / "plugins"), str(REPOSITORY / "dags")]
        ),
    }
