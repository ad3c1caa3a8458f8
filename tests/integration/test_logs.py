"""What the hub's log says: every step's start and end, as JSON, and nobody's data."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.rehearsal import Rehearsal
from onecard.base import logs
from onecard.errors import ConfigError, HoldError
from schemas.models import catalogue
from tests import forked
from tests.cities import Cities

ID, MOBILE = "410199194901010014", "13812345678"
ANYBODY = re.compile(r"410199(?:19|20)[0-9]{9}[0-9X]")
ALWAYS = {"time", "level", "logger", "message"}
EVENT = ALWAYS | {"event", "step", "direction", "actor"}
SUBSIDY = "f17-hrss-hrss-subsidy-failure"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    home = tmp_path_factory.mktemp("logs") / "stage"
    with cities.start(home, persons=300, seed=9) as found:
        yield found


def onecard(stage: Rehearsal, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return forked.onecard(
        stage.at(0) | {"ONECARD_LOG": "json", "ONECARD_ACTOR": "王工"} | more, *arguments
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Standard error; every line of it must be a record."""
    found = [json.loads(line) for line in done.stderr.splitlines()]
    for line in found:
        assert line.keys() >= ALWAYS
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert not ANYBODY.search(done.stderr)
    return found


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found = [line for line in lines(done) if line["logger"] == logs.STEPS]
    for line in found:
        assert line.keys() >= EVENT
        assert ("dataset" in line) != ("agreement" in line)
        assert line["actor"] == "王工"
        if line["event"] == "ended":
            assert line["seconds"] >= 0
            assert line["outcome"] in ("done", "failed", "held")
    return found


def steps_of(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["step"], line.get("outcome", line["event"])) for line in found]


def test_a_collect_a_delivery_and_a_reconciliation(stage: Rehearsal) -> None:
    collected = events(onecard(stage, "collect", "hrss/card_master", "housing_fund"))
    cards = [line for line in collected if line["dataset"] == "hrss/card_master"]
    assert steps_of(cards) == [
        ("collect.stage", "started"), ("collect.stage", "done"),
        ("collect.audit", "started"), ("collect.audit", "done"),
        ("collect.publish", "started"), ("collect.publish", "done"),
    ]  # fmt: skip
    counts = cards[-1]["counts"]
    assert counts["rows_read"] == sum(counts.values()) - counts["rows_read"] > 0
    assert counts["quarantined"] > 0
    assert {line["transfer"] for line in cards[1:]} == {cards[1]["transfer"]}
    sent = events(onecard(stage, "deliver", "f22-housing_fund-hrss-headcount"))
    assert steps_of(sent) == [("deliver", "started"), ("deliver", "done")]
    assert sent[-1]["counts"]["rows"] > 0
    compared = events(onecard(stage, "reconcile", "hrss/card_master"))
    assert steps_of(compared)[0] == ("reconcile", "started")
    assert steps_of(compared)[-1] == ("reconcile", "done")
    assert compared[-1]["counts"]["rows_hub"] > 0


def test_a_database_that_quotes_the_row_in_its_error(stage: Rehearsal) -> None:
    table = catalogue.load().agreement(SUBSIDY).delivery
    assert table is not None
    onecard(stage, "collect", "hrss")
    with psycopg.connect(stage.city.postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS inbox")
        connection.execute(
            f"CREATE TABLE inbox.{table.options['table']} (person_id18 text CHECK"
            " (person_id18 = ''), pay_id text PRIMARY KEY, pay_status text,"
            " fail_reason text, delivery_id text, received_at timestamp)".encode()
        )
    done = onecard(stage, "deliver", SUBSIDY)
    assert done.returncode == 1
    ended = events(done)[-1]
    assert (ended["outcome"], ended["level"], ended["error"]) == (
        "failed",
        "ERROR",
        "ProtocolError",
    )


def test_a_system_that_is_down(stage: Rehearsal) -> None:
    gone = json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x"})
    unknown = onecard(stage, "collect", "hrss/cards")
    assert (lines(unknown)[-1]["event"], unknown.returncode) == ("refused", 2)
    done = onecard(stage, "collect", "hrss/card_master", AIRFLOW_CONN_HRSS_DB=gone)
    ended = events(done)[-1]
    assert (ended["step"], ended["outcome"]) == ("collect.stage", "failed")
    assert ended["transfer"] > 0
    assert "cannot be reached" in ended["message"]


def test_text_and_levels(stage: Rehearsal) -> None:
    text = onecard(stage, "collect", "transport", ONECARD_LOG="text").stderr
    assert re.search(r"\+08:00 INFO onecard.steps: collect.publish done transport/", text)
    assert onecard(stage, "collect", "transport", ONECARD_LOG_LEVEL="ERROR").stderr == ""
    assert onecard(stage, "collect", "transport", ONECARD_LOG="").stderr == ""
    refused = onecard(stage, "status", ONECARD_LOG="xml")
    assert refused.returncode == 2
    assert "known: json, text" in refused.stderr


@pytest.mark.fault("F34", "libraries' messages, arguments, extras and exceptions are redacted too")
def test_what_libraries_say(stage: Rehearsal, tmp_path: Path) -> None:
    code = f"""
import logging, warnings
from onecard.base import logs, redaction
redaction.install()
logs.set_up({{"ONECARD_LOG": "json", "ONECARD_LOG_LEVEL": "DEBUG"}})
other = logging.getLogger("some.library")
other.debug("SELECT %s", ("{ID}", "{MOBILE}"))
other.info("sent", extra={{"error": "张三", "event": "{ID}", "row": {{"name": "张三"}}}})
other.warning("a\\nline {ID}")
warnings.warn("{ID}")
with logs.step("collect.stage", dataset="hrss/card_master", actor="{ID}"):
    logs.note(transfer=7, counts={{"rows_read": 3, "{ID}": 1}})
    other.info("within")
    try:
        int("张三{ID}")
    except ValueError:
        other.exception("failed")
raise ValueError("张三{ID}")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    found = lines(done)
    assert [line["message"] for line in found[:2]] == ["SELECT ('[id_number]', '[mobile]')", "sent"]
    for hidden in (ID, MOBILE, "张三"):
        assert hidden not in done.stderr
    assert found[1].keys() == ALWAYS
    within = next(line for line in found if line["message"] == "within")
    assert (within["dataset"], within["transfer"]) == ("hrss/card_master", 7)
    trace = next(line for line in found if line["message"] == "failed")["traceback"]
    assert trace.endswith("ValueError: (text withheld)")
    assert (found[-1]["message"], found[-1]["level"]) == ("uncaught", "CRITICAL")


def test_records_are_plain_so_that_any_handler_takes_them(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.log, "disabled", False)
    caplog.set_level(logging.INFO, logs.STEPS)
    with pytest.raises(HoldError), logs.step("deliver", agreement="f01", actor="x"):
        logs.note(transfer=3)
        msg = "a person must decide"
        raise HoldError(msg)
    start, end = caplog.records
    assert start.getMessage() == "deliver started f01"
    assert vars(end)["outcome"] == "held"
    assert (end.levelname, vars(end)["transfer"]) == ("WARNING", 3)
    assert end.getMessage().endswith("s: a person must decide")


@pytest.mark.parametrize("name", ["ONECARD_LOG", "ONECARD_LOG_LEVEL"])
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: unknown"):
        logs.set_up({name: "verbose"})
