"""One state of the hub's database, seen by several sessions at once."""

from __future__ import annotations

from threading import Thread

import psycopg
import pytest

from onecard.base.sql_text import query
from onecard.errors import OnecardError
from onecard.store import arrow, database
from onecard.store.snapshots import Snapshot
from tests.waiting import until

NUMBERS = query("SELECT n FROM public.numbers ORDER BY n")


def test_what_is_read_beside_is_of_the_same_state(hub_database: str) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.numbers AS SELECT generate_series(1, 3) AS n")
        with Snapshot(hub_database) as snapshot:
            connection.execute("INSERT INTO public.numbers VALUES (4)")
            beside = snapshot.frame_beside(NUMBERS)
            connection.execute("DELETE FROM public.numbers WHERE n < 3")
            rows = [n for batch in snapshot.batches(NUMBERS) for n in batch["n"].to_pylist()]
            again = snapshot.frame_beside(NUMBERS)
            assert rows == beside.result()["n"].to_list() == [1, 2, 3]
            assert again.result()["n"].to_list() == [1, 2, 3]
        with Snapshot(hub_database) as snapshot:
            assert snapshot.frame_beside(NUMBERS).result()["n"].to_list() == [3, 4]


def test_what_fails_beside_is_ours_and_leaves_the_snapshot_alone(hub_database: str) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.numbers AS SELECT generate_series(1, 3) AS n")
    with Snapshot(hub_database) as snapshot:
        beside = snapshot.frame_beside(query("SELECT n / 0 FROM public.numbers"))
        with pytest.raises(OnecardError):
            beside.result()
        assert snapshot.frame(NUMBERS)["n"].to_list() == [1, 2, 3]


def test_one_that_is_left_while_its_thread_is_in_the_driver_is_closed_by_that_thread(
    hub_database: str,
) -> None:
    waits = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
    )
    rows: list[int] = []
    with psycopg.connect(hub_database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(4711)")
        with pytest.raises(OSError, match="of the consumer"), Snapshot(hub_database) as snapshot:
            held_up = snapshot.batches(query("SELECT 1 FROM pg_advisory_lock(4711)"))
            reading = Thread(target=lambda: rows.extend(len(batch) for batch in held_up))
            reading.start()
            until(lambda: other.execute(waits).fetchone() != (0,), "the statement waits")
            msg = "of the consumer"
            raise OSError(msg)
        assert not arrow._free.get(hub_database)
        other.execute("SELECT pg_advisory_unlock(4711)")
        reading.join()
        assert rows == [1]
        assert len(arrow._free[hub_database]) == 1
