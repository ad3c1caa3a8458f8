"""The embedded server: one, however many threads ask for it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg

from onecard.app.hub_desk import HubDesk
from onecard.base.settings import Settings
from onecard.store import embedded, migrate

THREADS = 4


def test_several_threads_start_one_server(tmp_path: Path) -> None:
    together = Barrier(THREADS)
    unlocked = vars(HubDesk)["address"].func  # without the lock that Python 3.11 has round it

    def asked() -> str:
        together.wait()
        found: str = unlocked(HubDesk(Settings(home=tmp_path, keys_file=tmp_path / "keys.json")))
        return found

    try:
        with ThreadPoolExecutor(THREADS) as threads:
            found = {each.result() for each in [threads.submit(asked) for _ in range(THREADS)]}
        (address,) = found
        assert migrate.current(address) == migrate.HEAD
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        embedded.stop(tmp_path)
