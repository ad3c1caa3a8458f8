"""Two hubs over one source: one reads it in one, the other by several workers; they must agree."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onecard.collect.publish import Collected
from onecard.crypto import keys
from onecard.model.transfers import Counts
from tests.json_api import serving
from tests.office import CONNECTION, DATASET, Office

UNIQUE = {
    "name": "v_once",
    "description": "值不重复",
    "type": "custom",
    "engine": "onecard",
    "dimension": "uniqueness",
    "severity": "error",
    "implementation": {"check": "unique", "columns": ["v"]},
}


@dataclass
class Divided(Office):
    """An office whose contract may have an integer in its key, rules and partitions.

    Attributes:
        numbered: `seq` is the second field of the key.
        rules: of the contract, besides those that let a small dataset shrink and be rejected.
    """

    numbered: bool = False
    rules: list[dict[str, Any]] = field(default_factory=list)

    def _contract(self) -> dict[str, Any]:
        found = super()._contract()
        table = found["schema"][0]
        rejected = {"check": "rejected_share", "reason": "a test"}
        relaxed = {**self._relaxed(), "name": "rejected_share", "implementation": rejected}
        table["quality"] += [relaxed, *self.rules]
        for item in table["properties"]:
            if self.numbered and item["name"] == "seq":
                item |= {"primaryKey": True, "primaryKeyPosition": 2, "required": True}
        return found

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process of this hub, at this night."""
        settings = self.hub().settings
        return {
            **os.environ,
            "ONECARD_HOME": str(settings.home),
            "ONECARD_KEYS_FILE": str(settings.keys_file),
            "ONECARD_SCHEMAS": str(settings.schemas),
            "ONECARD_DATABASE_URL": self.address,
            "ONECARD_NOW": settings.now().isoformat(),
            f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(self.connection),
        }


@dataclass
class Threads:
    """Workers as threads of this process, each with a hub of its own.

    Attributes:
        dies: numbers of workers that begin a partition and are never heard of again.
    """

    office: Divided
    number: int = 3
    dies: frozenset[int] = frozenset()

    def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
        """As `onecard.ports.workers.Workers`."""
        for _ in self.dies:
            self.office.ask(
                "UPDATE ledger.partition SET attempts = '{9000000}', attempt = 9000000"
                f" WHERE (transfer, number) = ({transfer}, (SELECT min(number) FROM"
                f" ledger.partition WHERE attempt IS NULL AND transfer = {transfer})) RETURNING 1"
            )
        hubs = [self.office.hub() for _ in range(min(parts, self.number) - len(self.dies))]
        readers = [
            threading.Thread(target=hub.collect(dataset).read_parts, args=(transfer, snapshot))
            for hub in hubs
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()


@dataclass
class Twins:
    """One source, two hubs.

    Attributes:
        one: reads in one.
        several: reads in partitions.
        placed: the source says where in itself a rejected row stood, whoever reads it.
    """

    one: Divided
    several: Divided
    partition: dict[str, Any]
    placed: bool = False

    def night(
        self, *, whole: bool = False, dies: frozenset[int] = frozenset()
    ) -> tuple[Counts, str]:
        """A night of both; what they hold must be the same. Returns counts and message.

        Args:
            whole: read everything.
            dies: numbers of workers that vanish.
        """
        self.one.day += 1
        self.several.day += 1
        done = self.one.hub().collect(DATASET).run(whole=whole)
        self.several.source["partition"] = self.partition
        hub = self.several.hub()
        again = hub.collect(DATASET).run_by(Threads(self.several, dies=dies), whole=whole)
        self.agree(done, again)
        return again.counts, self.several.message(again)

    def agree(self, done: Collected, again: Collected) -> None:
        """Check that both hubs hold and tell the same."""
        assert again.counts == done.counts
        assert again.version == done.version
        for what in (_REGISTRY, _records(placed=self.placed), _LEDGER, _DATASET):
            mine, theirs = self.several.ask(what), self.one.ask(what)
            assert [row for row in mine if row not in theirs] == []
            assert len(mine) == len(theirs)
        for what in (_RULES, _FINDINGS, _COUNTIES):
            mine = self.several.ask(what.format(t=again.transfer))
            assert mine == self.one.ask(what.format(t=done.transfer))
        left = "SELECT tablename FROM pg_tables WHERE schemaname = 'staging'"
        assert self.several.ask(left) == []


_REGISTRY = (
    "SELECT to_jsonb(t) - '_transfer_id' FROM registry.hrss__thing t"
    " ORDER BY (to_jsonb(t) - '_transfer_id')::text"
)
_LEDGER = (
    "SELECT status, rows_read, published, unchanged, quarantined, deduplicated, whole,"
    " source_rows, checkpoint, version FROM ledger.transfer ORDER BY id"
)
_DATASET = "SELECT version, checkpoint FROM ledger.dataset"
_RULES = (
    "SELECT field, rule, severity, failed FROM ledger.rule_count WHERE transfer = {t}"
    " ORDER BY 1, 2, 3"
)
_FINDINGS = "SELECT name, passed, observed FROM ledger.finding WHERE transfer = {t} ORDER BY 1"
_COUNTIES = (
    "SELECT county, rows_read, quarantined FROM ledger.county_count WHERE transfer = {t} ORDER BY 1"
)


def _records(*, placed: bool) -> str:
    more = ", origin, row_number" if placed else ""
    return (
        "SELECT fingerprint, record_ref, status, reasons, first_reasons, resolved_at IS NULL,"
        f" ended_by IS NULL{more} FROM quarantine.record ORDER BY fingerprint"
    )


@contextmanager
def twins(
    make: Callable[[str, Path], Divided], addresses: tuple[str, str], home: Path
) -> Iterator[tuple[Divided, Divided]]:
    """Two hubs of one source, with the same keys.

    Args:
        make: an office on a hub's database, below a folder.
        addresses: of the hubs' databases.
        home: where the folders are.
    """
    keys.create(home / "keys.json", ["bureau"], "2026")
    made = []
    for name, address in zip(("one", "several"), addresses, strict=True):
        folder = home / name
        folder.mkdir()
        (folder / "keys.json").write_bytes((home / "keys.json").read_bytes())
        (folder / "keys.json").chmod(0o600)
        made.append(make(address, folder))
    yield made[0], made[1]


@dataclass
class Api:
    """An API of numbered pages of three rows, which gives them by the parameter `g` too.

    Attributes:
        rows: what it holds, in its order; of each, `g` decides for which value it is given.
        knows: whether it looks at the parameter.
        delay_s: seconds before each answer.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    knows: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    before: Callable[[dict[str, str]], None] = lambda _: None

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """The answer to one call."""
        self.before(query)
        self.asked.append(query)
        wanted = query.get("g") if self.knows else None
        found = [r for r in self.rows if wanted in (None, r["g"])]
        size, number = int(query["size"]), int(query["page"])
        page = found[(number - 1) * size : number * size]
        return {"total": len(found), "list": [{k: r[k] for k in ("k", "v")} for r in page]}


@contextmanager
def api_twins(addresses: tuple[str, str], home: Path) -> Iterator[tuple[Api, Twins]]:
    """An API that can be asked by the parameter `g`, and two hubs that read it.

    Args:
        addresses: of the hubs' databases.
        home: where their folders are.
    """
    api = Api()
    with serving(api.page) as port:

        def make(address: str, folder: Path) -> Divided:
            paginator = {
                "kind": "page_number",
                "page_param": "page",
                "size_param": "size",
                "size": 3,
                "total": "total",
                "order": "stable",
            }
            options = {"path": "/things", "records": "list", "paginator": paginator}
            connection = {"conn_type": "http", "host": "127.0.0.1", "port": port}
            return Divided(address, folder, {"connector": "rest", "options": options}, connection)

        values = {"by": "parameter", "parameter": "g", "values": ["p", "q", "r"]}
        with twins(make, addresses, home) as (one, several):
            yield api, Twins(one, several, values)


def things(chance: random.Random, groups: str) -> list[dict[str, Any]]:
    """Rows of such an API; each key stands once, some values are too long."""
    return [
        {"k": f"K{n}", "v": chance.choice([*"abc", "x" * 21]), "g": chance.choice(groups)}
        for n in range(chance.randint(9, 20))
    ]
