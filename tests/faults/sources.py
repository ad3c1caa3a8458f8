"""A city whose systems stand behind proxies, and what must hold after every fault of theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.errors import AuditFailed, OnecardError
from onecard.model.signoffs import SignOff
from onecard.model.transfers import Counts
from onecard.operations.release import release
from onecard.store import audit, database
from schemas.models import catalogue
from tests.cities import Cities

PAGE = 20
TIMES = "attempts: 3\n            timeout_s: 1\n            max_wait_s: 0.2\n            "
ROWS = (
    "SELECT count(*), md5(string_agg(d, '' ORDER BY d)) FROM (SELECT md5((to_jsonb(t)"
    " - '_transfer_id' - '_version' - '_first_version')::text) AS d FROM {t} t) x"
)
BAD = (
    "SELECT count(*), md5(string_agg(reasons::text, '' ORDER BY reasons::text))"
    " FROM quarantine.record WHERE dataset = %s"
)


@dataclass(slots=True)
class World:
    """A stage and its schemas, which a test may change."""

    stage: Rehearsal
    schemas: Path
    day: int = 0

    def hub(self) -> Hub:
        """A hub that reads everything anew, as another process would."""
        return self.stage.hub(self.day)

    def through(self, connection: str, port: int) -> None:
        """Reach a system at another port."""
        name = f"AIRFLOW_CONN_{connection.upper()}"
        found = json.loads(self.stage.environment[name])
        self.stage.environment[name] = json.dumps({**found, "host": "127.0.0.1", "port": port})

    def connection(self, name: str) -> dict[str, Any]:
        """A system's connection."""
        found: dict[str, Any] = json.loads(self.stage.environment[f"AIRFLOW_CONN_{name.upper()}"])
        return found

    def collect(self, dataset: str, *, whole: bool = False) -> Counts:
        """Collect, and check that nothing is lost; what is held as mostly rejected is released."""
        try:
            done = self.hub().collect(dataset).run(whole=whole)
        except AuditFailed as error:
            if "is held: rejected_share" not in str(error):
                raise
            passed = release(self.hub(), dataset, SignOff("值班工程师", "试验"))
            assert passed.collected is not None
            done = passed.collected
        self.sound(dataset)
        return done.counts

    def fails(self, dataset: str, error: type[OnecardError], match: str) -> str:
        """Collect in vain: nothing of the attempt may be left but its line in the ledger."""
        before = (self.state(dataset), self.cursor(dataset))
        with pytest.raises(error, match=match) as caught:
            self.hub().collect(dataset).run()
        assert (self.state(dataset), self.cursor(dataset)) == before
        with self.hub_database() as connection:
            newest = connection.execute(
                "SELECT status FROM ledger.transfer WHERE subject = %s ORDER BY id DESC LIMIT 1",
                (dataset,),
            ).fetchone()
        assert newest == ("held" if error.exit_code == 3 else "failed",)
        self.sound(dataset)
        return str(caught.value)

    def sound(self, dataset: str) -> None:
        """The identity, no staging left behind by ended transfers, the watermark, the audit log."""
        with self.hub_database() as connection:
            wrong = connection.execute(
                "SELECT id FROM ledger.transfer WHERE direction = 'collect' AND status = 'published' AND"
                " rows_read <> published + unchanged + quarantined + deduplicated"
                " + filtered_by_policy"
            ).fetchall()
            assert wrong == []
            left = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND NOT EXISTS"
                " (SELECT FROM ledger.transfer WHERE status IN ('held', 'staged')"
                " AND tablename LIKE '%%' || id::text || '%%')"
            ).fetchall()
            assert left == []
            hub = self.hub()
            verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
            assert verdict.ok, verdict.problem
            cursor, name = self.cursor(dataset), hub.catalogue.contract(dataset).source.cursor
            if cursor and name:
                table = dataset.replace("/", "__")
                newest = connection.execute(
                    f'SELECT max("{name}") >= %s FROM registry.{table}'.encode(), (cursor,)
                ).fetchone()
                assert newest == (True,), "the watermark is ahead of what is published"

    def cursor(self, dataset: str) -> str | None:
        """The watermark of a dataset."""
        with self.hub_database() as connection:
            row = connection.execute(
                "SELECT checkpoint ->> 'cursor' FROM ledger.dataset WHERE dataset = %s", (dataset,)
            ).fetchone()
        return str(row[0]) if row and row[0] else None

    def state(self, dataset: str) -> tuple[Any, ...]:
        """Number and digest of a dataset's published and quarantined rows."""
        table = dataset.replace("/", "__")
        with self.hub_database() as connection:
            there = connection.execute(
                "SELECT to_regclass(%s) IS NOT NULL", (f"registry.{table}",)
            ).fetchone()
            rows = None
            if there and there[0]:
                rows = connection.execute(ROWS.format(t=f"registry.{table}").encode()).fetchone()
            return (rows, connection.execute(BAD, (dataset,)).fetchone())

    def reasons(self, dataset: str) -> set[tuple[str, str]]:
        """Field and rule of everything in quarantine."""
        with self.hub_database() as connection:
            rows = connection.execute(
                "SELECT DISTINCT r ->> 0, r ->> 1 FROM quarantine.record,"
                " jsonb_array_elements(reasons) r WHERE dataset = %s",
                (dataset,),
            ).fetchall()
        return {(str(row[0]), str(row[1])) for row in rows}

    def forget(self, dataset: str) -> None:
        """As if it had never been collected."""
        with self.hub_database() as connection:
            name = dataset.replace("/", "__")
            connection.execute(f"DROP TABLE IF EXISTS registry.{name}".encode())
            connection.execute("DELETE FROM quarantine.record WHERE dataset = %s", (dataset,))
            connection.execute("DELETE FROM ledger.dataset WHERE dataset = %s", (dataset,))
            history = "UPDATE ledger.transfer SET replay = true WHERE subject = %s"
            connection.execute(history.encode(), (dataset,))  # what is usual is not known either

    def hub_database(self) -> Any:
        """A session on the hub's own database."""
        return database.connect(self.stage.environment["ONECARD_DATABASE_URL"], autocommit=True)


@contextmanager
def world(home: Path, cities: Cities, persons: int = 1_500) -> Iterator[World]:
    """A city, with small pages and short waits in a copy of its contracts."""
    schemas = home / "schemas"
    shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for file in (schemas / "contracts").glob("*/*.yaml"):
        text = file.read_text(encoding="utf-8")
        if "connector: rest" in text:
            text = text.replace("size: 1000", f"size: {PAGE}").replace("size: 500", f"size: {PAGE}")
            text = text.replace("            paginator:", f"            {TIMES}paginator:")
            file.write_text(text, encoding="utf-8")
    with cities.start(home / "stage", persons=persons, seed=31) as stage:
        stage.environment["ONECARD_SCHEMAS"] = str(schemas)
        yield World(stage, schemas)
