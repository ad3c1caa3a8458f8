"""A run of the tests that was killed disturbs no other: the next one ends what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests import leftovers, quick_server

LIMIT_S = 60
RUN = """
import signal, subprocess, sys, tempfile
from tests import leftovers

leftovers.begin()
words = [sys.executable, "-c", "import signal; signal.pause()"]
begun = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
print(begun.pid, tempfile.mkdtemp(prefix=leftovers.prefix("own-server")), flush=True)
signal.pause()
"""
"""A run that has begun a process in a session of its own, and a folder for a server."""


@contextmanager
def run(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process, Path]]:
    """A run that goes on: its first process, what that has begun, and its folder."""
    first = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env={**os.environ, "TMPDIR": str(temporary)},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    with first:
        assert first.stdout
        number, folder = first.stdout.readline().split()
        begun = psutil.Process(int(number))
        try:
            yield first, begun, Path(folder)
        finally:
            first.kill()
            if lives(begun):
                begun.kill()


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_run_left_is_ended_and_what_goes_on_is_not(temporary: Path) -> None:
    with run(temporary) as (killed, left, folder), run(temporary) as (_, going, other):
        leftovers.end_leftovers()
        assert lives(left)
        assert folder.exists()
        killed.kill()
        killed.wait(LIMIT_S)
        leftovers.end_leftovers()
        assert not lives(left)
        assert not folder.exists()
        assert lives(going)
        assert other.exists()


def test_servers_bear_the_mark_of_their_run(quick_postgres: str, shared_folder: Path) -> None:
    """PostgreSQL keeps the environment that it was begun with; it may be another user's."""
    folder = Path(quick_server.shared(shared_folder).folder)
    assert os.environ[leftovers.MARK] in folder.name
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    assert psutil.Process(server).environ()[leftovers.MARK] == os.environ[leftovers.MARK]


def test_numbers_of_another_name_space_say_nothing() -> None:
    own = leftovers.mark(os.getpid())
    space, number, began = own.split(".")
    assert not leftovers.abandoned(own)
    assert leftovers.abandoned(f"{space}.{number}.{int(began) + 1}"), "a number that came again"
    assert not leftovers.abandoned(f"{int(space) + 1}.{number}.{int(began) + 1}")
    assert not leftovers.abandoned("")
