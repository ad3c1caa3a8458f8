"""Random readings, night after night: the registry is what a few lines of plain Python make of it.

The reference below puts the rows of one key in order, keeps the newest, and compares that one with
what is published. It knows no chunks, hashes or staging tables.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecard.base.settings import Settings
from onecard.collect.context import CollectContext
from onecard.collect.run import Collect
from onecard.model.row_order import OLDER, TIE
from onecard.model.transfers import Counts
from onecard.ports.fakes import FakeReading, FakeSystem
from onecard.ports.source import Chunk
from onecard.store import database, rule_counts
from schemas.models.contract import Contract
from tests.sampling import how_often
from tests.unit.core.fake_hub import KNOWN, NOW, FakeHub, typed

BASE = KNOWN.contract("hrss/ecard_binding")
NUMBERS = count(1)
Row = dict[str, Any]


class Folder(FakeSystem):
    """A source whose later rows are newer, as files are."""

    in_order: ClassVar[bool] = True


rows = st.builds(
    dict,
    ecard_sign_no=st.sampled_from(["E1", "E2", "E3"]),
    ecard_status=st.sampled_from(["1", "2"]),
    channel_code=st.sampled_from(["1", None]),
    source_seq=st.sampled_from([None, 1, 2]),
    source_updated_at=st.sampled_from([None, NOW, NOW - timedelta(days=1)]),
)


@st.composite
def chunked(draw: st.DrawFn) -> list[list[Row]]:
    """One reading: some rows, cut anywhere."""
    found: list[Row] = draw(st.lists(rows, max_size=7))
    cuts = sorted(draw(st.lists(st.integers(0, len(found)), max_size=2)))
    ends = [*cuts, len(found)]
    return [found[a:b] for a, b in zip([0, *cuts], ends, strict=True)]


nights = st.lists(st.tuples(chunked(), st.booleans()), min_size=1, max_size=4)
contracts = st.builds(
    lambda sequence, cursor, order: BASE.model_copy(
        update={
            "id": f"hrss/order_{next(NUMBERS)}",
            "sequence": sequence,
            "order": order,
            "source": BASE.source.model_copy(update={"cursor": cursor}),
            "rules": (),
        }
    ),
    st.sampled_from([None, "source_seq"]),
    st.sampled_from([None, "source_updated_at"]),
    st.sampled_from([None, "unique", ("ecard_status",), ("channel_code", "source_seq")]),
)


def low(value: object) -> tuple[bool, object]:
    """NULL is older than any value."""
    return (value is not None, value if value is not None else 0)


@dataclass
class Reference:
    """What should be published, by a contract."""

    contract: Contract
    in_order: bool
    published: dict[str, Row] = field(default_factory=dict)

    def night(self, read: list[Row]) -> dict[str, int]:
        """Take one reading; returns counts and findings."""
        told = dict.fromkeys((*Counts.__slots__, TIE, OLDER), 0) | {"rows_read": len(read)}
        for key in {row["ecard_sign_no"] for row in read}:
            mine = [(n, row) for n, row in enumerate(read) if row["ecard_sign_no"] == key]
            _, newest = max(mine, key=self._rank)
            told["deduplicated"] += len(mine) - 1
            told[TIE] += sum(self._tied(newest, row) for _, row in mine)
            before = self.published.get(key)
            if before == newest:
                told["unchanged"] += 1
            elif before is not None and self._order(newest) < self._order(before):
                told["deduplicated"] += 1
                told[OLDER] += 1
            else:
                told["published"] += 1
                self.published[key] = newest
        return {name: number for name, number in told.items() if number}

    def _order(self, row: Row) -> tuple[object, ...]:
        return tuple(low(row[name]) for name in self.contract.ordering)

    def _rank(self, placed: tuple[int, Row]) -> tuple[object, ...]:
        place, row = placed
        content = [n for n in self.contract.names if n not in self.contract.ordering]
        last = [place] if self.in_order else []
        return (*self._order(row), *last, *(low(row.get(name)) for name in content))

    def _tied(self, newest: Row, row: Row) -> bool:
        return row != newest and self._order(row) == self._order(newest)


@dataclass
class Subject:
    """The hub, by the same contract."""

    hub: FakeHub
    contract: Contract

    def night(self, chunks: list[list[Row]], *, whole: bool) -> dict[str, int]:
        """Collect one reading; returns counts and findings."""
        parts, first = [], 1
        for chunk in chunks:
            for batch in typed(self.contract, chunk).to_arrow().combine_chunks().to_batches():
                parts.append(Chunk(batch, "somewhere", first))
                first += batch.num_rows
        self.hub.system.reading = FakeReading(tuple(parts))
        tools = CollectContext(gate=self.hub.rows, auditor=self.hub.auditor, **self.hub._common)
        done = Collect(self.contract, tools).run(whole=whole)
        told = {name: getattr(done.counts, name) for name in Counts.__slots__}
        with database.connect(self.hub.address, autocommit=True) as connection:
            found = rule_counts.broken_rules(connection, [done.transfer])
        told |= {line.rule: line.failed for line in found}
        return {name: number for name, number in told.items() if number}

    def published(self) -> dict[str, Row]:
        """Row by key, with the fields that the strategy fills."""
        names = ("ecard_sign_no", "ecard_status", "channel_code", "source_seq", "source_updated_at")
        found = self.hub.ask(f"SELECT {', '.join(names)} FROM registry.{self.contract.table}")
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("order")


def compared(hub: FakeHub, contract: Contract, made: list[Any], *, in_order: bool) -> None:
    """Run the nights through both, and compare after each."""
    hub.system = Folder() if in_order else FakeSystem()
    reference, subject = Reference(contract, in_order), Subject(hub, contract)
    for chunks, whole in made:
        wanted = reference.night([row for chunk in chunks for row in chunk])
        assert subject.night(chunks, whole=whole) == wanted
        assert subject.published() == reference.published


RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.case("order-1", "random readings end as a reference of plain Python says")
@pytest.mark.parametrize("in_order", [False, True])
@settings(max_examples=12, **RELAXED)  # type: ignore[arg-type]
@given(contract=contracts, made=nights)
def test_the_newest_row_of_a_key_is_published(
    hub_database: str, home: Path, contract: Contract, made: list[Any], in_order: bool
) -> None:
    compared(hub_at(hub_database, home), contract, made, in_order=in_order)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.case("order-2", "many random readings: stable, counted, never an older row")
@pytest.mark.parametrize("in_order", [False, True])
@settings(max_examples=how_often(30, 80), **RELAXED)  # type: ignore[arg-type]
@given(contract=contracts, made=nights)
def test_many_readings(
    hub_database: str, home: Path, contract: Contract, made: list[Any], in_order: bool
) -> None:
    compared(hub_at(hub_database, home), contract, made, in_order=in_order)


def hub_at(address: str, home: Path) -> FakeHub:
    """A hub on the test's database; its keys are made once."""
    folder = home / hashlib.sha256(address.encode()).hexdigest()[:12]
    if not folder.exists():
        folder.mkdir()
        return FakeHub.at(address, folder)
    known = Settings(home=folder, keys_file=folder / "keys.json", profile="demo", fixed_now=NOW)
    return FakeHub(address, known)
