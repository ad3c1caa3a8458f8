"""Runs a night's transfers in a process of its own that may be killed, and looks at what is left.

The processes are forked from a server that has imported everything and used nothing, so that a run
costs its work and not its imports. The hub's database is cloned from a template for each case.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from sqlalchemy.engine import make_url

from demo import inbox
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.model.signoffs import SignOff
from onecard.model.transfers import LIVE
from onecard.operations.release import release
from onecard.store import audit, database, transfer_history
from tests.forked import LIMIT_S, become, context

DATASETS = (
    "health/death_notice",
    "housing_fund/hf_account",
    "hrss/card_master",
    "hrss/card_status_event",
    "transport/transit_concession",
)
AGREEMENTS = (
    "f01-hrss-transport-card-status",  # a Parquet folder
    "f02-hrss-medical_insurance-card-status",  # HTTP
    "f06-hrss-housing_fund-card-status",  # a table
)
_OURS = ("delivery_id", "received_at")


def transfers(environment: dict[str, str], report: str) -> None:
    """All collects, then all deliveries, as `onecard nightly` runs them; ends with 1 on failure."""
    become(environment)
    try:
        hub = Hub(Settings.load(), EnvironmentConnections())
        for dataset in DATASETS:
            hub.collect(dataset).run()
        for agreement in AGREEMENTS:
            hub.deliver(agreement).run()
    except BaseException:  # noqa: BLE001 - the parent reads why
        Path(report).write_text(traceback.format_exc(), encoding="utf-8")
        os._exit(1)
    os._exit(0)


def release_one(environment: dict[str, str], report: str, transfer: int) -> None:
    """What `onecard release` does; ends with 1 on failure."""
    become(environment)
    try:
        hub = Hub(Settings.load(), EnvironmentConnections())
        release(hub, str(transfer), SignOff("a person", "checked"))
    except BaseException:  # noqa: BLE001 - the parent reads why
        Path(report).write_text(traceback.format_exc(), encoding="utf-8")
        os._exit(1)
    os._exit(0)


def stopped(process: BaseProcess) -> int:
    """Wait until a process has stopped itself at its point; returns its id."""
    pid = int(process.pid or 0)
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert process.is_alive()
        time.sleep(0.02)
    return pid


@dataclass
class Harness:
    """One city, a template of the hub's database before its first night, and the case's clone."""

    stage: Rehearsal
    template: str
    clone: str = ""

    @classmethod
    @contextlib.contextmanager
    def of(cls, stage: Rehearsal) -> Iterator[Harness]:
        """Clones of that city's hub, whose database is left as it is now."""
        made = cls(stage, str(make_url(stage.environment["ONECARD_DATABASE_URL"]).database))
        try:
            yield made
        finally:
            made.drop()

    def fresh(self) -> None:
        """A hub before its first night, and empty inboxes."""
        self.drop()
        self.clone = f"kill_{secrets.token_hex(6)}"
        with self._server() as server:
            server.execute(f'CREATE DATABASE "{self.clone}" TEMPLATE "{self.template}"'.encode())
        city = self.stage.city.home
        for folder in ("inbox", "transport/inbox", "sftp/inbox"):
            shutil.rmtree(city / folder, ignore_errors=True)
            (city / folder).mkdir(parents=True)
        shutil.rmtree(self.stage.home / "audit", ignore_errors=True)
        with contextlib.closing(sqlite3.connect(city / "housing_fund.sqlite")) as housing, housing:
            tables = housing.execute(
                "SELECT name FROM sqlite_master WHERE name LIKE 'inbox%' OR name LIKE 'onecard%'"
            ).fetchall()
            for (name,) in tables:
                housing.execute(f'DROP TABLE "{name}"')

    def drop(self) -> None:
        """Drop the case's database."""
        if self.clone:
            database.drop_database(self.stage.city.postgres_url, self.clone)
            self.clone = ""

    @contextlib.contextmanager
    def _server(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection to another database of the same server."""
        url = make_url(self.stage.city.postgres_url)
        address = url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection

    @property
    def address(self) -> str:
        """The case's database."""
        url = make_url(self.stage.environment["ONECARD_DATABASE_URL"])
        return url.set(database=self.clone).render_as_string(hide_password=False)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process of the hub, in the first night."""
        temporary = self.stage.home / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            **self.stage.at(0),
            "ONECARD_DATABASE_URL": self.address,
            "TMPDIR": str(temporary),
        }

    def hub(self) -> Hub:
        """A hub in this process."""
        return Hub(Settings.load(self.environment), EnvironmentConnections(self.environment))

    def start(self, **more: str) -> BaseProcess:
        """Start the transfers in a process; `more` is added to its environment."""
        process = context.Process(
            target=transfers, args=({**self.environment, **more}, str(self.report))
        )
        process.start()
        return process

    @property
    def report(self) -> Path:
        """Where a process says why it failed."""
        return self.stage.home / "report.txt"

    def run(self, **more: str) -> int:
        """Run the transfers to the end of their process; returns its exit code."""
        self.report.unlink(missing_ok=True)
        process = self.start(**more)
        process.join(LIMIT_S)
        assert process.exitcode is not None, "the transfers hang"
        return process.exitcode

    def start_release(self, transfer: int, **more: str) -> BaseProcess:
        """Start a release in a process; `more` is added to its environment."""
        process = context.Process(
            target=release_one, args=({**self.environment, **more}, str(self.report), transfer)
        )
        process.start()
        return process

    def release(self, transfer: int, **more: str) -> int:
        """Release to the end of the process; returns its exit code."""
        process = self.start_release(transfer, **more)
        process.join(LIMIT_S)
        assert process.exitcode is not None, "the release hangs"
        return process.exitcode

    def kill_after(self, seconds: float, **more: str) -> int:
        """SIGKILL the transfers after so many seconds; returns the exit code."""
        process = self.start(**more)
        time.sleep(seconds)
        process.kill()
        process.join(LIMIT_S)
        return process.exitcode or 0

    def rerun(self) -> None:
        """Run until it ends well, three times at most."""
        for _ in range(3):
            if self.run() == 0:
                return
        raise AssertionError(self.report.read_text(encoding="utf-8"))

    def state(self) -> dict[str, object]:
        """What a run leaves, without what differs between two good runs (ids and times)."""
        found: dict[str, object] = {}
        with database.connect(self.address, autocommit=True) as connection:
            for dataset in DATASETS:
                table = dataset.replace("/", "__")
                rows = connection.execute(
                    "SELECT count(*), md5(string_agg(r, '|' ORDER BY r)) FROM (SELECT"
                    " (to_jsonb(t) - '_transfer_id')::text AS r"
                    f" FROM registry.{table} t) x".encode()
                ).fetchone()
                found[dataset] = rows
            found["quarantine"] = connection.execute(
                "SELECT dataset, agreement, encode(fingerprint, 'hex'), reasons::text, status"
                " FROM quarantine.record ORDER BY 1, 2, 3"
            ).fetchall()
            found["delivered"] = connection.execute(
                "SELECT agreement, dataset, version FROM ledger.delivered ORDER BY 1, 2"
            ).fetchall()
            found["states"] = connection.execute(
                "SELECT dataset, version, checkpoint FROM ledger.dataset ORDER BY 1"
            ).fetchall()
        found["inboxes"] = {n: Counter(rows) for n, rows in sorted(self.inboxes().items())}
        return found

    def inboxes(self) -> dict[str, list[str]]:
        """Every row that a consumer holds, as text; a row that came twice is there twice."""
        city = self.stage.city.home
        frames = inbox.http(city / "inbox" / "medical_insurance_api")
        frames |= inbox.files(city / "transport" / "inbox")
        housing = f"sqlite:///{city / 'housing_fund.sqlite'}"
        frames |= inbox.tables(housing, None, "inbox_", list(AGREEMENTS))
        return {name: _texts(frame) for name, frame in frames.items()}

    def problems(self, since: int = 0) -> list[str]:
        """What must not be there after a good end, however many runs it took.

        Args:
            since: look only at transfers with a higher id.
        """
        found = []
        with database.connect(self.address, autocommit=True) as connection:
            for done in transfer_history.since(connection, since):
                if done.status in LIVE:
                    found.append(f"transfer {done.id} of {done.subject} is {done.status} for ever")
                if done.status == "published":
                    done.counts.check(done.subject)
                if done.status in ("published", "confirmed"):
                    found += self._unreceipted(connection, done.id)
            for name, statement in _ORPHANS.items():
                row = connection.execute(statement.encode()).fetchone()
                if row and row[0]:
                    found.append(f"{row[0]} {name}")
            found += self._drafts()
            hub = self.hub()
            verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
        return found if verdict.ok else [*found, verdict.problem]

    def _drafts(self) -> list[str]:
        """Temporary files and drafts that no process is left to finish; they hold rows (F34)."""
        home, city = self.stage.home, self.stage.city.home
        inboxes = (city / "inbox", city / "transport" / "inbox", city / "sftp" / "inbox")
        left = [f for f in (home / "tmp").rglob("*") if f.is_file()]
        for folder in (home / "audit", home / "reports", *inboxes):
            left += [f for f in folder.rglob("*") if f.name.startswith(".") or ".part" in f.name]
        return [f"draft {file.relative_to(home)} is left" for file in sorted(left)]

    @staticmethod
    def _unreceipted(connection: database.Connection, transfer: int) -> list[str]:
        row = connection.execute(
            "SELECT count(*) FROM ledger.receipt WHERE transfer = %s", (transfer,)
        ).fetchone()
        return [] if row and row[0] == 1 else [f"transfer {transfer} has no receipt"]


_ORPHANS = {
    "staging tables": "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'",
    "delivery windows": "SELECT count(*) FROM ledger.delivery_window",
    "notes of what consumers may have": "SELECT count(*) FROM ledger.holding_pending",
    "buckets of a record that is nobody's": (
        "SELECT count(*) FROM ledger.holding h WHERE NOT EXISTS"
        " (SELECT FROM ledger.holding_head d WHERE d.number = h.holder)"
    ),
    "records with more or fewer entries than they say": (
        "SELECT count(*) FROM ledger.holding_head d WHERE d.rows <> (SELECT"
        " coalesce(sum(octet_length(h.entries)) / 26, 0) FROM ledger.holding h"
        " WHERE h.holder = d.number)"
    ),
    "deliveries confirmed twice for one window": (
        "SELECT count(*) FROM (SELECT FROM ledger.transfer WHERE status = 'confirmed'"
        " GROUP BY delivery_id HAVING count(*) > 1) x"
    ),
}


def _texts(frame: pl.DataFrame) -> list[str]:
    rows = frame.drop(_OURS, strict=False).iter_rows(named=True)
    return sorted(json.dumps(row, default=str, ensure_ascii=False, sort_keys=True) for row in rows)
