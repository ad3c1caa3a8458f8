"""docs/waking.md: its codes are all that there are, and what it shows works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.base.platform_signature import Credential, SignatureForm, signature
from onecard.live.calls import ANSWERS
from tests.waking import EVENTS, HEALTH, HRSS, Lane, served

PAGE = (Path(__file__).parents[3] / "docs" / "waking.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def called() -> Iterator[tuple[Lane, dict[str, str]]]:
    """A lane, and the environment of who calls it."""
    lane = Lane()
    with served(lane) as serving:
        yield (
            lane,
            {
                "PATH": os.environ["PATH"],
                "HUB": f"http://127.0.0.1:{serving.port}",
                "SID": HRSS.sid,
                "APPKEY": HRSS.key.decode(),
                "DATASET": EVENTS,
            },
        )


def run(command: list[str], environment: dict[str, str]) -> object:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_code_is_in_the_table_with_its_status() -> None:
    table = PAGE.partition("## The answers")[2].partition("\n## ")[0]
    found = {}
    for codes, statuses in re.findall(r"^\| (`\d\d`(?:, `\d\d`)*) \| ([\d, ]+) \|", table, re.M):
        found |= dict(zip(re.findall(r"\d\d", codes), statuses.split(", "), strict=True))
    assert found == {answer.code: str(answer.status) for answer in ANSWERS}
    assert len({answer.code for answer in ANSWERS}) == len(ANSWERS)


def test_the_curl_example_wakes(called: tuple[Lane, dict[str, str]]) -> None:
    lane, environment = called
    assert run(["sh", "-c", example("sh")], environment) == {"code": "00"}
    assert lane.woken == [EVENTS]


def test_the_python_example_wakes(called: tuple[Lane, dict[str, str]]) -> None:
    lane, environment = called
    assert run([sys.executable, "-c", example("python")], environment) == {"code": "00"}
    assert lane.woken == [EVENTS]


def test_the_page_shows_how_sm3_is_signed(called: tuple[Lane, dict[str, str]]) -> None:
    lane, environment = called
    environment |= {
        "SID": HEALTH.sid,
        "APPKEY": HEALTH.key.decode(),
        "DATASET": "health/health_visit",
    }
    text = example("sh").replace("dgst -sha256", "dgst -sm3").replace("gjgxjhpt_", "zz-")
    assert run(["sh", "-c", text], environment) == {"code": "00"}
    assert lane.woken == ["health/health_visit"]


@pytest.mark.parametrize(("title", "algorithm"), [("SHA-256", "sha256"), ("SM3", "sm3")])
def test_the_signatures_to_compare_with_are_right(title: str, algorithm: str) -> None:
    form = SignatureForm.model_validate({"algorithm": algorithm})
    made = signature(Credential("zz", b"0123456789abcdef", form), "1", "1764403200000")
    assert f"| {title} | `{made}` |" in PAGE
