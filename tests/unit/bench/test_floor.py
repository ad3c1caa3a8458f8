"""The floor is measured once a day and start of the machine, and again for more rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import floor
from bench.measure import Run

HOME = "home"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each measurement that was made."""
    made: list[int] = []

    @contextmanager
    def filled(_: Path, rows: int) -> Iterator[None]:
        made.append(rows)
        yield

    def copy(_: None, *, keyed: bool) -> Run:
        return Run(2.0, 1.0, 3.0) if keyed else Run(1.0, 0.5, 0.5)

    monkeypatch.setattr(floor, "filled", filled)
    monkeypatch.setattr(floor, "copy", copy)
    return made


def test_it_is_measured_once(tmp_path: Path, measured: list[int]) -> None:
    found = [floor.today(tmp_path, 10) for _ in range(3)]
    assert measured == [10]
    assert found[0] == found[1] == found[2]
    assert (found[0].bare, found[0].bare_cpu, found[0].keyed, found[0].keyed_cpu) == (1, 1, 2, 4)


def test_more_rows_are_measured_again_and_fewer_are_not(
    tmp_path: Path, measured: list[int]
) -> None:
    for rows in (10, 20, 10, 0):
        floor.today(tmp_path, rows)
    assert measured == [10, 20]


def test_where_nothing_is_kept_all_rows_are_measured(tmp_path: Path, measured: list[int]) -> None:
    floor.today(tmp_path)
    assert measured == [floor.FULL]


def test_yesterday_s_is_measured_again(tmp_path: Path, measured: list[int]) -> None:
    floor.today(tmp_path, 10)
    note = tmp_path / "floor.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "made": "2026-01-01"}))
    floor.today(tmp_path, 10)
    assert measured == [10, 10]
