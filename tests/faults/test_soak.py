"""The soak itself: two nights of it end well, and it notices what is lost, left or doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onecard.store import database
from tests.soak.compare import differences
from tests.soak.faults import NAMES, meaning
from tests.soak.nights import Soak, Unsound, soaking


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Soak]:
    """Two cities of 200 persons after two nights."""
    home = tmp_path_factory.mktemp("soak")
    with soaking(home, persons=200, seed=3, postgres=postgres) as found:
        for number in range(2):
            found.night(number)
        yield found


@pytest.mark.nightly
def test_nights_with_faults_end_as_nights_without(soak: Soak) -> None:
    assert [f.night for f in soak.done] == [0, 1]
    assert all(f.rows_read > 0 and f.sizes["staging"] == 0 for f in soak.done)
    assert sum(soak.seen.values()) == sum(len(f.faults) for f in soak.done) > 0
    assert list(differences(soak.stage, soak.twin, 1)) == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("table", "damage", "found"),
    [
        ("registry.hrss__card_master", "DELETE FROM {table}", "hrss/card_master"),
        ("quarantine.record", "UPDATE {table} SET reasons = '[]'", "quarantine"),
    ],
)
def test_a_difference_is_named(soak: Soak, table: str, damage: str, found: str) -> None:
    assert list(differences(soak.stage, soak.twin, 1)) == []
    with database.connect(soak.stage.hub(1).address, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE public.kept AS TABLE {table}".encode())
        one = f" WHERE ctid = (SELECT min(ctid) FROM {table})"
        connection.execute(damage.format(table=table).encode() + one.encode())
        assert list(differences(soak.stage, soak.twin, 1)) == [f"{found} differs from the twin's"]
        connection.execute(f"DELETE FROM {table}".encode())
        back = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE public.kept"
        connection.execute(back.encode())
        connection.execute(b"DROP TABLE public.kept")


@pytest.mark.nightly
def test_what_is_left_behind_is_named(soak: Soak) -> None:
    with database.connect(soak.stage.hub(1).address, autocommit=True) as connection:
        connection.execute("CREATE UNLOGGED TABLE staging.orphan (a int)")
        with pytest.raises(Unsound, match="1 staging tables"):
            soak._check(1)
        connection.execute("DROP TABLE staging.orphan")


def test_every_fault_has_words() -> None:
    assert all(len(meaning(name)) > 10 for name in NAMES)
