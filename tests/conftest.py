"""Fixtures: real servers, and rehearsals of whole nights on them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from demo.rehearsal import Rehearsal
from demo.servers import AgencyServers
from onecard.base.settings import Settings
from onecard.store import database
from tests import leftovers, quick_server
from tests.cities import Cities, alone, empty_hub, with_airflow

DOMAIN = Path(__file__).parents[2] / "shared" / "domain"
"""Public files used in place where they stand beside the project."""
settings.register_profile(
    "tests", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def domain() -> Path:
    """The folder of public domain files."""
    if not DOMAIN.is_dir():
        pytest.skip("domain files absent: ../shared/domain")
    return DOMAIN


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PostgreSQL server: the one named by ONECARD_TEST_POSTGRES, a local one, or the embedded."""
    named = os.environ.get("ONECARD_TEST_POSTGRES", "postgresql://root@127.0.0.1:5432/postgres")
    try:
        with psycopg.connect(named, connect_timeout=3):
            return named
    except psycopg.OperationalError:
        home = tmp_path_factory.mktemp("pg")
        return database.url(Settings(home=home, keys_file=home / "keys.json"))


def listening(port: int) -> bool:
    """Whether a local server listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common, and no other run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(pytestconfig, "workerinput") else own


@pytest.fixture(scope="session")
def quick_postgres(shared_folder: Path) -> str:
    """The PostgreSQL server of this run: fast, and empty but for what tests make."""
    with alone(shared_folder / "quick-server.lock"):
        return quick_server.shared(shared_folder).url


@pytest.fixture
def private_database(quick_postgres: str) -> Iterator[str]:
    """A fresh database that goes with the test."""
    name = f"t_{os.urandom(6).hex()}"
    yield database.create_database(quick_postgres, name)
    database.drop_database(quick_postgres, name)


@pytest.fixture
def hub_database(quick_postgres: str, shared_folder: Path) -> Iterator[str]:
    """A hub's database as the migrations make it, which goes with the test."""
    with empty_hub(quick_postgres, shared_folder) as address:
        yield address


@pytest.fixture
def addresses(quick_postgres: str, shared_folder: Path) -> Iterator[tuple[str, str]]:
    """Two hubs' databases, which go with the test."""
    with (
        empty_hub(quick_postgres, shared_folder) as one,
        empty_hub(quick_postgres, shared_folder) as other,
    ):
        yield one, other


@pytest.fixture(scope="session")
def cities(quick_postgres: str, shared_folder: Path) -> Iterator[Cities]:
    """Cities cloned from templates, with this worker's servers of agencies."""
    with AgencyServers() as agencies:
        yield Cities(quick_postgres, shared_folder, agencies)


def pytest_configure(config: pytest.Config) -> None:
    """The process that begins a run ends what earlier ones left, before there are workers."""
    if not hasattr(config, "workerinput"):
        leftovers.begin()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long nightly tests first, so that no worker is left alone with one at the end.

    Last of all hooks: what `-m` leaves out is out, and counts for nothing here.
    """
    items.sort(key=lambda item: -long(item))
    if config.pluginmanager.hasplugin("_cov"):
        leave_untraced(items)


RANDOM, WHOLE = ("property", "fuzz"), ("faults", "integration")


def leave_untraced(items: list[pytest.Item]) -> None:
    """Coverage leaves out what its gate may not rest on: to be traced doubles the time of a test.

    Random tests reach other lines each time; further cases of whole transfers reach the same.
    """
    seen: set[str] = set()
    for item in items:
        name, room = item.nodeid.partition("[")[0], item.path.parent.name
        if room in RANDOM or (room in WHOLE and name in seen):
            item.add_marker("no_cover")
        seen.add(name)


def long(item: pytest.Item) -> float:
    """The seconds that a nightly test may take, where they are many; 0 for every other."""
    allowed = item.get_closest_marker("timeout")
    seconds = float(allowed.args[0]) if allowed and item.get_closest_marker("nightly") else 0.0
    return seconds if seconds >= 900 else 0.0


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the shared server when the last worker has ended."""
    made = getattr(session.config, "_tmp_path_factory", None)
    if made is not None and not hasattr(session.config, "workerinput"):
        quick_server.end(made.getbasetemp())


@pytest.fixture
def stage(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    """A small city and a hub beside it, before the first night."""
    with cities.start(tmp_path / "stage", persons=2_000, seed=11) as found:
        yield found


@pytest.fixture
def airflow_stage(stage: Rehearsal) -> Rehearsal:
    """The same with a database for Airflow."""
    return with_airflow(stage)
