"""The command line beside the service: ask, delays, look-ups, verification."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.asked import APP, CASES, F09, F10, AskedHub, asked_hub, person

LI, NOBODY = person(1), person(900)


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        with found.serving():
            yield found


def onecard(asked: AskedHub, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Exit code, and all that a command says."""
    environment = {**os.environ, **asked.variables, "COLUMNS": "200"}
    done = forked.onecard(environment, *arguments, given=stdin)
    return done.returncode, done.stdout + done.stderr


def ask(asked: AskedHub, agreement: str, *lines: str, case: str = "") -> tuple[int, str]:
    words = ("ask", agreement, "--operator", "N0123", "--at", asked.url)
    return onecard(asked, *words, "--case", case or CASES[agreement], stdin="\n".join(lines) + "\n")


def test_ask_signs_reads_the_person_from_standard_input_and_shows_the_answer(
    asked: AskedHub,
) -> None:
    code, said = ask(asked, F09, LI.id_number, LI.name)
    assert code == 0, said
    assert LI.card_no in said
    code, said = ask(asked, F10, LI.id_number, LI.name, LI.account, "1")
    assert (code, said.count("match"), said.count("no_match")) == (0, 2, 1), said
    code, said = ask(asked, F09, NOBODY.id_number, NOBODY.name)
    assert (code, "no such person" in said) == (0, True), said
    code, said = ask(asked, F09, LI.id_number, LI.name, case="XX")
    assert (code, said.startswith("63: ")) == (1, True), said
    code, said = ask(asked, "f01-hrss-transport-card-status", case="x")
    assert (code, "nobody is asked for under it" in said) == (2, True), said


def test_what_was_asked_is_looked_up_delayed_and_verified(asked: AskedHub) -> None:
    assert asked.result(F09, LI)["outcome"] == "answered"
    look = ("disclosures", "--person", "--reason", "r", "--json")
    code, said = onecard(asked, *look, stdin=LI.id_number + "\n")
    assert code == 0, said
    ((line,),) = [json.loads(said)]
    assert (line["status"], line["transfer"]) == ("answered", None)
    assert (line["fields"], line["delayed_until"]) == ("card_status、card_no", None)
    delay = ("agreements", "delay", F09, "--by", "official", "--basis", "第三十五条")
    code, said = onecard(asked, *delay, "--case", CASES[F09], "--until", "2026-12-31")
    assert code == 0, said
    code, said = onecard(asked, *look, stdin=LI.id_number + "\n")
    assert (code, json.loads(said)[0]["delayed_until"]) == (0, "2026-12-31"), said
    for wrong in (
        ("--case", "XX", "--until", "2026-12-31"),
        ("--case", CASES[F09], "--until", "x"),
    ):
        assert onecard(asked, *delay, *wrong)[0] == 2
    assert onecard(asked, *delay, "--case", CASES[F09], "--until", "2026-11-01")[0] == 1
    body = {"request_id": "resident-0001", "id_number": LI.id_number}
    answer = asked.post("", body, sid=APP, path="/v1/disclosures")
    assert answer.json() == {"code": "00", "entries": []}
    assert onecard(asked, "audit", "verify")[0] == 0
    asked.execute("UPDATE ledger.question SET operator = 'N0999'")
    code, said = onecard(asked, "audit", "verify")
    assert (code, "not what its receipt says" in said) == (1, True), said


def test_all_four_are_in_force_and_none_is_not_served(asked: AskedHub) -> None:
    code, said = onecard(asked, "agreements", "list", "--json")
    assert code == 0, said
    assert "not_served" not in said
    states = {line["id"]: line["state"] for line in json.loads(said)}
    assert {states[a] for a in states if a[:3] in ("f09", "f10", "f11", "f12")} == {"in_force"}
