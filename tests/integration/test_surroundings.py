"""The command line where things lack: no settings, no home, no terminal, a reader that goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from demo.rehearsal import REPOSITORY
from onecard.cli.commands import COMMANDS, GROUPS
from tests import forked

ONECARD = [sys.executable, "-c", "from onecard.cli.entry import main; main()"]
BARE = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.mark.nightly
@pytest.mark.case("people-7", "the help of every command needs no settings and no database")
def test_help_with_settings_that_are_all_wrong(tmp_path: Path) -> None:
    wrong = BARE | {
        "ONECARD_DATABASE_URL": "no address",
        "ONECARD_SCHEMAS": "/nowhere",
        "ONECARD_PROFILE": "none",
        "ONECARD_HOME": "/dev/null/x",
        "ONECARD_PATIENCE": "soon",
        "ONECARD_NOW": "yesterday",
        "ONECARD_SUITE": "none",
    }
    for words in ("", *GROUPS, *(command.words for command in COMMANDS)):
        done = forked.onecard(wrong, *words.split(), "--help")
        assert (done.returncode, done.stderr) == (0, ""), words
        assert "Usage: onecard" in " ".join(done.stdout.split())


@pytest.mark.case("people-7", "what each setting does is told where its name stands")
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path) -> None:
    for name, value in (
        ("ONECARD_PROFILE", "demoo"),
        ("ONECARD_SUITE", "sm"),
        ("ONECARD_NOW", "yesterday"),
        ("ONECARD_QUARANTINE_DAYS", "ninety"),
        ("ONECARD_SCHEMAS", "/nowhere"),
        ("ONECARD_CONNECT_TIMEOUT", "0"),
        ("ONECARD_PATIENCE", "0"),
        ("ONECARD_DATABASE_URL", "mysql://x/y"),
        ("ONECARD_HOME", "/dev/null/x"),
    ):
        home = {"ONECARD_HOME": str(tmp_path), "ONECARD_DATABASE_URL": NOWHERE}
        settings = BARE | home | {name: value}
        if name == "ONECARD_HOME":
            del settings["ONECARD_DATABASE_URL"]
        done = forked.onecard(settings, "status")
        assert done.returncode == 1, name
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert name in done.stderr


@pytest.mark.case("people-16", "a reader that goes away stops nothing: no traceback, exit 0")
@pytest.mark.parametrize(
    "words",
    [
        "expectations list hrss/card_master",
        "expectations list hrss/card_master --json",
        "lint --json",
        "--version",
    ],
)
def test_a_pipe_that_is_closed(words: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -c '{ONECARD[2]}' {words}"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        env=BARE | {"ONECARD_HOME": str(tmp_path)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.case("people-16", "no colours and no frames' codes where nobody sees them")
def test_no_terminal_and_no_colour(tmp_path: Path) -> None:
    home = BARE | {"ONECARD_HOME": str(tmp_path)}
    for more in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "40"}):
        done = forked.onecard(home | more, "expectations", "list", "hrss/card_master")
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert "sex_matches_id" in done.stdout


@pytest.mark.case("people-6", "without a home the memory lies where temporary files lie")
def test_a_user_without_a_home() -> None:
    code = """
import os
from onecard.base.settings import memory_folder
os.environ.pop("HOME", None)
os.setuid(54321)
print(memory_folder())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=BARE | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("needs the right to become another user")
    assert done.stdout.strip() == f"{tempfile.gettempdir()}/onecard-54321", done.stderr


@pytest.mark.case("people-16", "an error as JSON is one more line of standard error")
def test_json_output_stays_json_when_it_fails(tmp_path: Path) -> None:
    home = BARE | {"ONECARD_HOME": str(tmp_path), "ONECARD_DATABASE_URL": NOWHERE}
    done = forked.onecard(home | {"ONECARD_LOG": "json"}, "status", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert (said[-1]["event"], said[-1]["error"]) == ("refused", "SourceUnavailable")
