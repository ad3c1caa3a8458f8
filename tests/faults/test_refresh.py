"""F5: while a full refresh runs, and after it was killed, readers see the version before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from onecard.store import database
from tests.cities import Cities

DATASET = "hrss/card_master"
REFRESH = f"from onecard.app.wiring import Hub; Hub().collect({DATASET!r}).run(whole=True)"
SEEN = (
    "SELECT count(*), max(_version), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text)))"
    " FROM registry.hrss__card_master t"
)


@pytest.fixture
def small(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    """A city of 1,000 persons."""
    with cities.start(tmp_path / "stage", persons=1_000, seed=5) as found:
        yield found


def seen(stage: Rehearsal) -> tuple[object, ...]:
    """What a reader sees of the dataset."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        return tuple(connection.execute(SEEN).fetchone() or ())


@pytest.mark.fault("F05", "a full refresh stops before its commit and is killed: the old rows stay")
def test_the_old_version_stays_readable_while_a_refresh_is_killed(small: Rehearsal) -> None:
    small.hub(0).collect(DATASET).run()
    small.city.prepare(1)
    before = seen(small)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", REFRESH],
        env=small.at(1) | {"ONECARD_STOP_AT": "publish.merged"},
    )
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert process.poll() is None
        time.sleep(0.05)
    assert seen(small) == before
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert seen(small) == before
    small.hub(1).collect(DATASET).run(whole=True)
    after = seen(small)
    assert after != before
    assert int(str(after[1])) == int(str(before[1])) + 1
