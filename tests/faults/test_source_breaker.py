"""A system that stays away is left alone for a while, and alone: others go on."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors
from connectors.common import breaker
from demo.rehearsal import Rehearsal
from onecard.base.connections import Connection
from onecard.errors import ProtocolError, SourceUnavailable
from onecard.operations import night
from onecard.ports.source import Column, ReadRequest
from schemas.models import catalogue
from tests.connectors import systems
from tests.json_api import serving


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The breaker's time, to be set."""
    now = [1000.0]
    monkeypatch.setattr(breaker, "_clock", lambda: now[0])
    monkeypatch.setattr(breaker, "_breakers", {})
    return now


SYSTEM = Connection(id="s", conn_type="http", host="example.invalid", port=1)


def attempt(error: Exception | None = None, system: Connection = SYSTEM) -> None:
    with breaker.watching(system):
        if error:
            raise error


def fail(times: int) -> None:
    for _ in range(times):
        with pytest.raises(SourceUnavailable, match=r"^down$"):
            attempt(SourceUnavailable("down"))


def refused() -> None:
    with pytest.raises(SourceUnavailable, match="last 5 calls have failed"):
        attempt()


def test_after_so_many_failures_in_a_row_calls_fail_at_once(clock: list[float]) -> None:
    fail(4)
    attempt()
    fail(5)
    refused()
    clock[0] += breaker.COOL_S - 1
    refused()
    attempt(system=SYSTEM.model_copy(update={"id": "other"}))


def test_after_the_cool_down_one_call_tries(clock: list[float]) -> None:
    fail(5)
    clock[0] += breaker.COOL_S
    with breaker.watching(SYSTEM):
        refused()
    attempt()
    fail(5)
    clock[0] += breaker.COOL_S
    fail(1)
    refused()


def test_an_answer_of_any_kind_is_an_answer(clock: list[float]) -> None:
    fail(4)
    with pytest.raises(ProtocolError):
        attempt(ProtocolError("html"))
    fail(4)
    attempt()


@pytest.mark.fault("F07", "a dead system: asked five times in a night, the others go on")
def test_a_night_asks_a_dead_system_five_times(
    stage: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six tables stand in one database that is down; the sixth is not tried."""
    monkeypatch.setattr(breaker, "_breakers", {})
    name = "AIRFLOW_CONN_HRSS_DB"
    broken = {**json.loads(stage.environment[name]), "host": "127.0.0.1", "port": 1, "extra": {}}
    stage.environment[name] = json.dumps(broken)
    schemas = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    stage.environment["ONECARD_SCHEMAS"] = str(schemas)
    hub = stage.hub(0)
    tables = [
        d for d in night.datasets(hub) if hub.catalogue.contract(d).source.connection == "hrss_db"
    ]
    assert len(tables) >= 6
    done = night.run_each([*tables, "health/death_notice"], lambda d: hub.collect(d).run(), _ignore)
    said = list(done.failed.values())
    assert len(said) == len(tables)
    assert ["left alone" in s for s in said] == [False] * 5 + [True] * (len(tables) - 5)
    assert all("cannot be reached" in s for s in said)


def _ignore(_subject: str, _result: object) -> None:
    return


@pytest.fixture
def times() -> Iterator[tuple[list[float], Connection]]:
    """An API of three pages, and when each was asked for."""
    asked: list[float] = []

    def answer(_query: dict[str, str]) -> object:
        asked.append(time.monotonic())
        following = None if len(asked) == 3 else str(len(asked))
        return {"r": [{"X": str(len(asked))}], "n": following}

    with serving(answer) as port:
        yield asked, systems.conn(conn_type="http", host="127.0.0.1", port=port)


@pytest.mark.fault("F08", "the contract's rate is kept, so that 429 is the exception")
def test_the_contracts_rate_is_kept(times: tuple[list[float], Connection]) -> None:
    asked, connection = times
    rest = connectors.connector("rest")
    options = rest.source_options.model_validate(
        {
            "path": "/x",
            "records": "r",
            "per_second": 5,
            "paginator": {"kind": "keyset", "cursor_param": "c", "next": "n", "size_param": "s"},
        }
    )
    columns = (Column("x", "X", required=True),)
    began = time.monotonic()
    assert len(list(rest.read(connection, ReadRequest("a/b", columns, options)))) == 1
    assert len(asked) == 3
    assert asked[1] - began >= 0.2
    assert asked[2] - began >= 0.4
