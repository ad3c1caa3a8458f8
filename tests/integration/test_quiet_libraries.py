"""What libraries chatter stands in no output of a command: Great Expectations above all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from onecard.base import logs
from tests import forked
from tests.cities import Cities


@pytest.fixture
def stage(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    with cities.start(tmp_path / "stage", persons=300, seed=5) as found:
        yield found


@pytest.mark.case("people-26", "an audit by Great Expectations: no line of its own at any form")
@pytest.mark.parametrize("form", ["", "text", "json"])
def test_great_expectations_says_nothing(stage: Rehearsal, form: str) -> None:
    environment = stage.at(0) | {"ONECARD_LOG": form}
    done = forked.onecard(environment, "collect", "transport", "--audit", "gx")
    assert done.returncode == 0, done.stderr
    assert "published" in done.stdout
    lines = done.stderr.splitlines()
    assert [line for line in lines if "onecard" not in line] == []
    assert "great_expectations" not in done.stderr + done.stdout
    assert bool(lines) is bool(form)


@pytest.mark.case("people-26", "libraries speak from warnings on, and at DEBUG when asked")
@pytest.mark.parametrize(
    ("level", "heard"), [("INFO", {"WARNING"}), ("DEBUG", {"DEBUG", "INFO", "WARNING"})]
)
def test_who_is_heard_at_which_level(level: str, heard: set[str]) -> None:
    code = f"""
import logging
from onecard.base import logs
logs.set_up({{"ONECARD_LOG": "text", "ONECARD_LOG_LEVEL": "{level}"}})
for name in ("great_expectations.x", "alembic.runtime.migration"):
    for level in ("DEBUG", "INFO", "WARNING"):
        logging.getLogger(name).log(getattr(logging, level), "said")
logging.getLogger("onecard.x").info("ours")
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert {line.split()[1] for line in lines if "said" in line} == heard
    assert sum("ours" in line for line in lines) == 1
    assert logs.OURS[0] == "onecard"
