"""What goes wrong in a simulated night: each fault has a name, and a way to happen."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from demo.rehearsal import Rehearsal
from onecard.store import database
from schemas.models import catalogue
from tests.faults.proxy import (
    Fault,
    HttpProxy,
    Reply,
    TcpProxy,
    busy,
    http_proxy,
    repeated,
    says,
    tcp_proxy,
    travels,
)

APIS = ("hrss_api", "health_api", "medical_insurance_api", "bank_api", "operator_api")
PIPES = ("hrss_db", "education_sftp")
"""Systems that stand behind a proxy of bytes."""
PAGES: tuple[Fault, ...] = (
    busy(503),
    busy(429),
    travels("truncated"),
    travels("reset"),
    says(b"<html>maintenance</html>", "text/html"),
    says(b'{"code":"99"}'),
    repeated,
)
TWELFTH = 1 / 12
MOST_BYTES = 400_000
CLOCK = timedelta(minutes=10)


@dataclass
class Ring:
    """The proxies around the agencies' systems, and the dice.

    Attributes:
        stage: its environment already leads through the proxies.
        chance: seeded; every decision of a soak comes from it.
    """

    stage: Rehearsal
    chance: random.Random
    http: dict[str, HttpProxy] = field(default_factory=dict)
    pipes: dict[str, TcpProxy] = field(default_factory=dict)

    def clean(self) -> None:
        """Everything works."""
        for proxy in (*self.http.values(), *self.pipes.values()):
            proxy.clean()

    def sometimes(self, faults: tuple[Fault, ...], share: float) -> Fault:
        """One of the faults, on so large a share of the replies."""

        def apply(reply: Reply) -> Reply:
            return self.chance.choice(faults)(reply) if self.chance.random() < share else reply

        return apply


@contextmanager
def ring(stage: Rehearsal, seed: int) -> Iterator[Ring]:
    """Put a proxy in front of every API, of the SFTP server and of one PostgreSQL."""
    with ExitStack() as stack:
        found = Ring(stage, random.Random(seed))
        for name in APIS:
            proxy = stack.enter_context(http_proxy(_connection(stage, name)["port"]))
            found.http[name] = proxy
            _lead(stage, name, proxy.server_address[1])
        for name in PIPES:
            there = _connection(stage, name)
            port = there.get("port") or 5432
            pipe = stack.enter_context(tcp_proxy(there["host"] or "127.0.0.1", port))
            found.pipes[name] = pipe
            _lead(stage, name, pipe.port)
        yield found


def _connection(stage: Rehearsal, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(stage.environment[f"AIRFLOW_CONN_{name.upper()}"])
    return found


def _lead(stage: Rehearsal, name: str, port: int) -> None:
    there = {**_connection(stage, name), "host": "127.0.0.1", "port": port}
    stage.environment[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(there)


Happens = Callable[[Ring, dict[str, str]], None]
"""Arranges a fault before an attempt; may change the attempt's environment."""


def pages(around: Ring, _environment: dict[str, str]) -> None:
    """A twelfth of all pages of all APIs arrives broken, or turned away."""
    for proxy in around.http.values():
        proxy.always = around.sometimes(PAGES, TWELFTH)


def dead(around: Ring, _environment: dict[str, str]) -> None:
    """One API is away."""
    around.http[around.chance.choice(APIS[:3])].always = busy(503)


def acknowledgements(around: Ring, _environment: dict[str, str]) -> None:
    """Every third acknowledgement of a delivered batch is lost on its way back."""
    for proxy in around.http.values():
        proxy.posted = around.sometimes((travels("reset"),), 1 / 3)


def resets(around: Ring, _environment: dict[str, str]) -> None:
    """Three connections to a database and to SFTP are reset in the middle of what they say."""
    for pipe in around.pipes.values():
        pipe.cut(around.chance.randrange(2_000, MOST_BYTES), times=3)


def clock(around: Ring, environment: dict[str, str]) -> None:
    """The hub's clock is ten minutes off."""
    right = datetime.fromisoformat(environment["ONECARD_NOW"])
    environment["ONECARD_NOW"] = (right + around.chance.choice((CLOCK, -CLOCK))).isoformat()


QUIET: dict[str, Happens] = {
    "pages": pages,
    "dead": dead,
    "acknowledgements": acknowledgements,
    "resets": resets,
    "clock": clock,
}
"""Faults that are arranged before an attempt."""


@contextmanager
def dropped(around: Ring) -> Iterator[None]:
    """The hub's own database connections are ended in mid-night, twice."""
    address = around.stage.environment["ONECARD_DATABASE_URL"]
    ended = threading.Event()
    waits = [around.chance.uniform(0.2, 2.5) for _ in range(2)]

    def drop() -> None:
        for seconds in waits:
            if ended.wait(seconds):
                return
            with database.connect(address, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def unanchored(around: Ring) -> Iterator[None]:
    """The folder of the audit log's anchor cannot be written."""
    folder, kept = around.stage.home / "audit", around.stage.home / "audit-kept"
    there = folder.exists()
    if there:
        folder.rename(kept)
    folder.write_text("in the way of the folder")
    try:
        yield
    finally:
        folder.unlink()
        if there:
            kept.rename(folder)


@contextmanager
def unfinished(around: Ring) -> Iterator[None]:
    """The newest files of the agencies have no manifest yet."""
    city = around.stage.city.home
    newest = []
    for place in ("transport", "sftp"):
        found = sorted((city / place).rglob("*.manifest.json"), key=_written)
        newest += [f for f in found if "inbox" not in f.parts][-2:]
    hidden = [(file, file.with_name(f".hidden-{file.name}")) for file in newest]
    for file, aside in hidden:
        file.rename(aside)
    try:
        yield
    finally:
        for file, aside in hidden:
            aside.rename(file)


@contextmanager
def shrunk(around: Ring) -> Iterator[None]:
    """The bureau's table of cards has lost two thirds of its rows."""
    contract = catalogue.load().contract("hrss/card_master")
    table, key = f"hrss.{contract.source.options['table']}", contract.field(contract.key[0]).native
    with psycopg.connect(around.stage.city.postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE hrss.kept (LIKE {table})".encode())
        connection.execute(
            f'WITH gone AS (DELETE FROM {table} WHERE hashtext("{key}") % 3 <> 0 RETURNING *)'
            " INSERT INTO hrss.kept SELECT * FROM gone".encode()
        )
        try:
            yield
        finally:
            connection.execute(f"INSERT INTO {table} SELECT * FROM hrss.kept".encode())
            connection.execute("DROP TABLE hrss.kept")


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns


AROUND = {
    "dropped": dropped,
    "unanchored": unanchored,
    "unfinished": unfinished,
    "shrunk": shrunk,
}
"""Faults that last for an attempt."""

PROCESSES = {
    "killed": "a process that runs the same half of the night is killed by SIGKILL at a random time",
    "twice": "two processes run the same half of the night at the same time",
}
"""Faults of whole processes; `nights` makes them."""

NAMES = (*QUIET, *AROUND, *PROCESSES)
AT = {
    "collect": tuple(n for n in NAMES if n != "acknowledgements"),
    "deliver": tuple(n for n in NAMES if n not in ("pages", "unfinished", "shrunk")),
}
"""The faults that mean something in each half of a night."""


def meaning(name: str) -> str:
    """A fault in words."""
    if name in PROCESSES:
        return PROCESSES[name]
    text = (QUIET.get(name) or AROUND[name]).__doc__ or ""
    return text[:1].lower() + text[1:].rstrip(".")
