"""Fixtures of the tests that stop, starve or restart whole nights; a file may have its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.rehearsal import start
from tests.cities import Cities
from tests.faults.harness import Harness
from tests.faults.server import OwnServer, own_server


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A PostgreSQL server that only this file uses, so that it may be filled, stopped or killed."""
    with own_server() as found:
        yield found


@pytest.fixture(scope="module")
def harness(
    tmp_path_factory: pytest.TempPathFactory, server: OwnServer, cities: Cities
) -> Iterator[Harness]:
    """A city of 300 persons, all of it in that server."""
    home = tmp_path_factory.mktemp("faults") / "stage"
    with (
        start(home, persons=300, seed=23, postgres=server.url, servers=cities.agencies) as stage,
        Harness.of(stage) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def wanted(harness: Harness) -> dict[str, object]:
    """What a night without faults leaves."""
    harness.fresh()
    harness.rerun()
    assert harness.problems() == []
    return harness.state()
