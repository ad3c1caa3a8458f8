"""Many rejected rows cost as much as they are: none is compared with all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onecard.base import shelves
from onecard.store import quarantine_intake
from tests.small_hub import SmallHub, small_hub

MANY = 1_000
LOOKS = 200
"""So many rows and entries of indexes a night may look at for each rejected row, in all tables of the
hub: it takes some 70; where a statement compares each with each, 500 to 5,000."""
AT = "2026-11-09T10:00:00+08:00"
LOOKED_AT = "SELECT tup_returned FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture(params=["files", "table"])
def small(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    hub_database: str,
    private_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SmallHub]:
    """Its agency has a folder of news, or a table that is read whole."""
    monkeypatch.setattr(shelves, "keeps", lambda: False)  # one that waits tells its counts late
    with small_hub(tmp_path, hub_database, private_database) as found:
        getattr(found, request.param)(sequence=True)
        yield found


def night(small: SmallHub, version: int, amount: Callable[[int], str]) -> int:
    """A night with everybody's row; how many rows and entries were looked at, for each of MANY.

    Args:
        small: the hub.
        version: sequence of all rows.
        amount: of a row, by its number.
    """
    ((before,),) = small.ask(LOOKED_AT)
    rows = [(f"K{i}", amount(i), AT, version) for i in range(3 * MANY)]
    folder = (small.home / "files").exists()
    if folder:
        small.put(f"{small.night:02}.csv", rows, "code,amount,updated,seq")
    else:
        small.agency("TRUNCATE small")
        small.insert([row[:3] for row in rows])
        small.agency("UPDATE small SET seq = %s", version)
    small.collect(whole=not folder)
    ((after,),) = small.ask(LOOKED_AT)
    return int(after - before) // MANY


def broken(value: str) -> Callable[[int], str]:
    return lambda i: value if i < MANY else "2"


@pytest.mark.case("people-20", "thousands of rows at once end as single ones do, in time")
@pytest.mark.parametrize("counted", [True, False])
def test_no_row_in_quarantine_is_compared_with_all_others(
    small: SmallHub, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_intake, "MANY", MANY // 2 if counted else MANY * 100)
    looks = {
        "first": night(small, 0, lambda _: "1"),
        "rejected": night(small, 1, broken("1O0")),
        "the same once more": night(small, 1, broken("1O0")),
        "rejected otherwise": night(small, 3, broken("1OO")),
        "half of them right": night(small, 3, lambda i: "3" if i % 2 else broken("1OO")(i)),
        "all of them right": night(small, 5, lambda _: "4"),
    }
    assert {what: n for what, n in looks.items() if n > LOOKS} == {}
    ended = small.ask("SELECT status, count(*) FROM quarantine.record GROUP BY 1 ORDER BY 1")
    assert ended == [("mended", MANY), ("superseded", MANY)]
