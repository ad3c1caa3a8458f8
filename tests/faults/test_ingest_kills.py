"""The door and the collect are killed at each step: what was brought is published, and once."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from onecard.base import failpoints
from onecard.errors import OnecardError
from tests.brought import Town, csv_of, some, town_of
from tests.listening import Listening, Started
from tests.sampling import how_often
from tests.small_hub import DATASET

OF_THE_DOOR = [p for p in failpoints.POINTS if p.startswith("ingest.") and p != "ingest.released"]
OF_A_COLLECT = (
    "stage.recorded",
    "publish.before_commit",
    "publish.after_commit",
    "ingest.released",
)
RANDOM_KILLS = int(os.environ.get("ONECARD_RANDOM_KILLS") or how_often(6, 60))


@pytest.fixture
def town(tmp_path: Path, hub_database: str) -> Iterator[Town]:
    with town_of(tmp_path / "hub", hub_database) as found:
        found.contract(order="arrival")
        yield found


def collecting(town: Town, **more: str) -> Started:
    """`onecard collect` of what lies there, in a process of its own."""
    environment = {**town.small.variables, **more}
    return Started.begin(environment, town.small.home, "collect", DATASET)


@contextmanager
def door(town: Town, *words: str, **more: str) -> Iterator[Listening]:
    """`onecard ingest` in a process of its own; it may be dead when the block ends."""
    environment = {**town.small.variables, **more}
    process = Listening.start(environment, town.small.home, "ingest", *words)
    town.url = process.url
    try:
        yield process
    finally:
        process.kill()


def sound(town: Town, rows: int) -> None:
    """All is published, once, and nothing is left."""
    town.small.collect()
    assert len(town.small.amounts()) == rows
    assert town.lying == []
    assert {state for state, *_ in town.ledger()} == {"published"}
    taken = town.small.ask(
        "SELECT sum(rows_read) FROM ledger.transfer WHERE direction = 'collect'"
        " AND status = 'published'"
    )
    assert taken == [(rows,)], "each row was read by one collect that was published"


@pytest.mark.fault("F01", "the door is killed at each of its points; the client goes on")
@pytest.mark.parametrize("point", OF_THE_DOOR)
def test_a_door_that_is_killed_loses_and_doubles_nothing(town: Town, point: str) -> None:
    data, upload = csv_of(some(500)), str(uuid.uuid4())
    file = town.file(data)
    with door(town, ONECARD_KILL_AT=point) as process:
        client = town.client(part_bytes=len(data) // 3)
        with pytest.raises(OnecardError):
            client.bring(DATASET, file, upload)
        assert process.gone() == -signal.SIGKILL
    with door(town):
        told = town.client(part_bytes=len(data) // 3).bring(DATASET, file, upload)
        assert told.code == "00", told.content
        assert told.content["outcome"]["accepted"] == 500
        sound(town, 500)
        again = town.client().bring(DATASET, file, upload)
        assert (again.code, again.content["state"]) == ("00", "published")
    assert town.small.collect().counts.rows_read == 0


@pytest.mark.fault("F01", "a file that has its place is collected though its record did not come")
def test_what_has_its_place_is_collected_before_the_client_comes_back(town: Town) -> None:
    data, upload = csv_of(some(500)), str(uuid.uuid4())
    file = town.file(data)
    with door(town, ONECARD_KILL_AT="ingest.placed"), pytest.raises(OnecardError):
        town.client().bring(DATASET, file, upload)
    assert [state for state, *_ in town.ledger()] == ["open"]
    sound(town, 500)
    with door(town):
        told = town.client().bring(DATASET, file, upload)
        assert (told.code, told.content["state"]) == ("00", "published")
    assert town.small.collect().counts.rows_read == 0


@pytest.mark.fault("F01", "a collect of uploads is killed at each step; the next one ends it")
@pytest.mark.parametrize("point", OF_A_COLLECT)
def test_a_collect_that_is_killed_loses_and_doubles_nothing(town: Town, point: str) -> None:
    with door(town):
        for first in (0, 100):
            data = csv_of(some(100, first=first))
            assert town.client().bring(DATASET, town.file(data), str(uuid.uuid4())).code == "00"
    assert collecting(town, ONECARD_KILL_AT=point).gone() == -signal.SIGKILL
    sound(town, 200)


def test_it_tells_its_figures_and_ends_when_it_is_told(town: Town) -> None:
    with door(town, "--metrics", "127.0.0.1:0") as process:
        data = csv_of(some(3))
        assert town.client().bring(DATASET, town.file(data), str(uuid.uuid4())).code == "00"
        page = requests.get(
            re.findall(r"http://\S+:\d+", process.said)[1] + "/metrics", timeout=60
        ).text
        assert 'onecard_ingest_calls_total{code="00"} 1.0' in page
        assert 'onecard_ingest_calls_total{code="80"} 0.0' in page
        assert process.end() == 0


@pytest.mark.nightly
@pytest.mark.fault("F01", "door and collects are killed at random while uploads come")
def test_random_kills_lose_and_double_nothing(town: Town) -> None:
    chance = random.Random(11)
    files = {str(uuid.uuid4()): town.file(csv_of(some(400, first=400 * n))) for n in range(12)}
    done: set[str] = set()

    def bring(url: str) -> None:
        town.url = url
        client = town.client(part_bytes=4000)
        for upload, file in files.items():
            with suppress(OnecardError):
                if client.bring(DATASET, file, upload).code == "00":
                    done.add(upload)

    for _ in range(RANDOM_KILLS):
        with door(town) as process:
            bringing = threading.Thread(target=bring, args=(town.url,))
            bringing.start()
            beside = collecting(town)
            time.sleep(chance.uniform(0.1, 2.0))
            process.kill()
            if chance.random() < 0.5:
                beside.kill()
            beside.gone()
            bringing.join()
    with door(town):
        bring(town.url)
    assert done == set(files)
    sound(town, 400 * len(files))
