"""`python -m bench.govern`: what governing a delivery costs, and how fast a person is answered.

Four ways to deliver the same rows to the same Parquet inbox, interleaved, median of the rounds:
plain (no gate, no token, no receipt, no disclosure), governed without disclosures, governed,
governed under the national suite.
Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

import polars as pl
import psycopg

import connectors
from bench.arguments import parser
from bench.measure import Used, cell, meter, typical
from bench.results import Limit, Section, publish
from demo.hot import fill_card_master
from demo.rehearsal import Rehearsal, start
from onecard.deliver import attempt
from onecard.deliver.context import DeliveryContext
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.query import Selection
from onecard.deliver.run import Deliver
from onecard.ports.privacy_gate import Admitted, Batch
from onecard.ports.sink import Parcel
from onecard.store import agreement_lives, database, disclosures
from onecard.store.snapshots import Snapshot
from quality.privacy.gate import Gate
from schemas.models import registers
from schemas.models.agreement import Agreement
from tests import ledger_history

ID = "f99-bench-operator-card"
LIMIT, NATIONAL_LIMIT = 60, 100
"""Percent that governing adds to the plain delivery."""
YEAR = 10_220
"""Deliveries of a year: each night one under 28 agreements, which are more than the catalogue has;
the live lane's are folded."""
LOOKUP_LIMIT = 1_000
"""Milliseconds of one person's look-up."""


def agreement(treatment: str) -> Agreement:
    """A token flow of the whole card master with the gate's usual control columns."""
    return Agreement.model_validate(
        {
            "id": ID,
            "version": "1.0.0",
            "title": "基准",
            "dataset": "hrss/card_master",
            "consumer": "operator",
            "purpose": "A7-05",
            "mode": "batch",
            "responsible": "基准测试",
            "subject": "person_id18",
            "notice": "N-2026-01",
            "assessment": "PIA-2026-01",
            "child_rules": "CR-2026-01",
            "entrustment": "E-2026-01",
            "grade": "G-2026-03",
            "basis": {"item": "13-1-3", "statute": "社会保险经办条例", "article": "第七条"},
            "fields": [
                {"name": "person_token", "from": "person_id18", "treatment": treatment},
                {"name": "card_no", "treatment": "as_is"},
                {"name": "card_status", "treatment": "as_is"},
                {"name": "bank_code", "treatment": "as_is"},
                {"name": "resid_division", "treatment": "as_is"},
                {"name": "issue_date", "treatment": "as_is"},
                {"name": "valid_to", "treatment": "as_is"},
                {"name": "source_updated_at", "treatment": "as_is"},
            ],
            "key": ["card_no"],
            "scope": {"title": "正常卡", "filters": [{"field": "card_status", "not_in": ["7"]}]},
            "order": [],
            "validity": {"from": "2026-01-01", "to": "2028-12-31"},
            "retention": "P90D",
            "freshness": "T+1",
            "delivery": {
                "connector": "files",
                "connection": "transport_files",
                "options": {
                    "directory": "inbox",
                    "format": {"kind": "parquet"},
                    "manifest": {"suffix": ".manifest.json"},
                },
            },
        }
    )


def outbound(stage: Rehearsal) -> DeliveryContext:
    """The hub's own wiring, with registers that know the bench's agreement."""
    hub = stage.hub(0)
    known = registers.load()
    more = {
        "PIA-2026-01": known.assessments["PIA-2026-01"].model_copy(update={"agreements": (ID,)})
    }
    grade = {"G-2026-03": known.grades["G-2026-03"].model_copy(update={"agreement": ID})}
    notice = {"N-2026-01": known.notices["N-2026-01"].model_copy(update={"agreements": (ID,)})}
    people = known.people
    return DeliveryContext(
        address=hub.address,
        settings=hub.settings,
        connections=hub.connections,
        keys=hub.keys,
        connector=connectors.connector("files"),
        contracts={d: hub.catalogue.contract(d) for d in (people.cards, people.deaths)},
        agencies=hub.catalogue.agencies,
        registers=known.model_copy(
            update={"assessments": more, "grades": grade, "notices": notice}
        ),
        suite=hub.suite,
        signer=hub.signer,
        gate=Gate,
    )


class NoGate:
    """Admits everything and looks at nothing."""

    def check(self, batch: Batch) -> Admitted:
        return Admitted(pl.repeat(value=True, n=len(batch.raw), eager=True), {}, 0)


class NoRecorder(disclosures.Recorder):
    """Writes no disclosures."""

    def add(self, found: object) -> None: ...


def plain(stage: Rehearsal) -> Used:
    """The same rows, selected and sent without any governance."""
    wanted = agreement("as_is")
    tools = outbound(stage)
    selection = Selection(wanted, tools.contracts, tools.settings.now().date())
    with meter(tools.address) as used, Snapshot(tools.address) as snapshot:
        outgoing = Outgoing(snapshot, selection, NoGate(), None)  # type: ignore[arg-type]
        _send_plain(tools, wanted, outgoing)
    return used


def _send_plain(tools: DeliveryContext, wanted: Agreement, outgoing: Outgoing) -> None:
    frames = outgoing.frames()
    level = pl.CompatLevel.oldest()
    first = next(frames)
    schema = first.to_arrow(compat_level=level).schema

    def batches() -> Iterator[Any]:
        for frame in _chain(first, frames):
            yield from frame.to_arrow(compat_level=level).to_batches()

    parcel = Parcel(
        delivery_id=f"plain-{secrets.token_hex(4)}",
        agreement=ID,
        schema=schema,
        key=wanted.key,
        batches=batches(),
        manifest={},
        leave=lambda rows=0: None,  # noqa: ARG005 - the port's
        sign=dict,
    )
    connector, block = tools.connector, wanted.delivery
    assert block
    options = connector.sink_options.model_validate(dict(block.options))
    connector.send(tools.connections.get(block.connection), options, parcel)


def _chain(first: pl.DataFrame, rest: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    yield from rest


def governed(stage: Rehearsal, *, disclosed: bool = True) -> Used:
    """A whole delivery through `Deliver`, as if it were the first."""
    wanted = agreement("token")
    tools = outbound(stage)
    with psycopg.connect(tools.address, autocommit=True) as connection:
        ledger_history.forget_deliveries(connection, ID)
    recorder = disclosures.Recorder if disclosed else NoRecorder
    with patch.object(attempt, "Recorder", recorder), meter(tools.address) as used:
        done = Deliver(wanted, tools).run()
    assert done.rows
    return used


def national(stage: Rehearsal) -> Rehearsal:
    """The same hub under the national suite."""
    return replace(stage, environment={**stage.environment, "ONECARD_SUITE": "national"})


@contextmanager
def prepared(home: Path, rows: int) -> Iterator[Rehearsal]:
    """A hub that holds `rows` cards."""
    base = os.environ.get("ONECARD_BENCH_POSTGRES")
    with start(home, persons=1000, seed=1, postgres=base) as stage:
        fill_card_master(stage.city.postgres_url, "hrss", rows)
        hub = stage.hub(0)
        for dataset in ("hrss/card_master", "health/death_notice"):
            hub.collect(dataset).run()
        wanted = agreement("token")
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.approve(connection, wanted, "基准", "基准")
            connection.execute("VACUUM ANALYZE registry.hrss__card_master")
        yield stage
    shutil.rmtree(home, ignore_errors=True)


def of_consumer(consumer: str) -> str:
    """Id of the agreement under which a consumer got the year's deliveries."""
    return f"f98-bench-{consumer}-card"


def fill_disclosures(stage: Rehearsal, deliveries: int, each: int) -> int:
    """Write a year's deliveries to all consumers in turn, each with so many packed rows."""
    hub = stage.hub(0)
    agreements = [of_consumer(consumer) for consumer in hub.catalogue.agencies]
    with psycopg.connect(hub.address, autocommit=True) as connection:
        for month in range(1, 13):
            disclosures.make_partition(connection, date(2025, month, 1))
        return ledger_history.pack_disclosures(connection, agreements, deliveries, each)


def lookups(stage: Rehearsal, people: int = 100) -> list[float]:
    """Seconds of one person's look-up over all consumers, each with a key of its own."""
    hub = stage.hub(0)
    found = []
    with database.connect(hub.address, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT person_id18 FROM registry.hrss__card_master TABLESAMPLE SYSTEM (1) LIMIT %s",
            (people,),
        ).fetchall()
        for (person,) in rows:
            started = time.perf_counter()
            for consumer in hub.catalogue.agencies:
                keys = hub.keys.token_epochs(consumer)
                digests = [hub.suite.digests(k.secret, [str(person)])[0] for k in keys]
                disclosures.of_person(connection, [of_consumer(consumer)], digests)
            found.append(time.perf_counter() - started)
    return found


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=2_000_000)
    words.add_argument("--deliveries", type=int, default=YEAR)
    words.add_argument("--each", type=int, default=1_500)
    options = words.parse_args()
    runs: dict[str, list[Used]] = {"plain": [], "gated": [], "governed": [], "national": []}
    with prepared(options.home / "govern", options.rows) as stage:
        governed(stage)  # makes the indexes that deliveries need
        for number in range(options.rounds):
            runs["plain"].append(plain(stage))
            runs["gated"].append(governed(stage, disclosed=False))
            runs["governed"].append(governed(stage))
            runs["national"].append(governed(national(stage)))
            last = {name: round(used[-1].seconds, 2) for name, used in runs.items()}
            print(f"round {number + 1}: {last}", flush=True)
        started = time.perf_counter()
        packed = fill_disclosures(stage, options.deliveries, options.each)
        print(f"{packed:,} packed rows in {time.perf_counter() - started:.0f} s", flush=True)
        times = lookups(stage)
    publish(options, section(options.rows, runs, Asked(options.deliveries, packed, times)))


@dataclass(frozen=True, slots=True)
class Asked:
    """Look-ups of persons.

    Attributes:
        deliveries: that the ledger had.
        packed: its rows of them.
        seconds: of each person's look-up over all consumers.
    """

    deliveries: int
    packed: int
    seconds: list[float]


def section(rows: int, runs: dict[str, list[Used]], asked: Asked) -> Section:
    """The section of RESULTS.md."""
    found = {name: typical(used) for name, used in runs.items()}
    base = found["plain"]
    names = {
        "plain": "select, write, manifest: nothing governed",
        "gated": "with privacy gate, tokens, receipt, audit, record of what is held",
        "governed": "with disclosures as well",
        "national": "the same under the national suite",
    }
    usual, worst = median(asked.seconds) * 1000, quantiles(asked.seconds, n=20)[-1] * 1000
    return Section(
        name="governed deliveries",
        title="Governed deliveries",
        module="govern",
        about=(
            f"{rows:,} cards from the registry to a Parquet inbox, 8 columns, one of them a token;"
            f" median of {len(runs['plain'])} interleaved rounds after one delivery that made the"
            " indexes, in one process."
        ),
        columns=("what", "seconds", "added", "CPU client", "CPU server", "CPU added"),
        rows=[_row(text, found[name], base) for name, text in names.items()],
        limits=[
            Limit("governed, percent added", LIMIT, _added(found["governed"], base)),
            Limit("national suite, percent added", NATIONAL_LIMIT, _added(found["national"], base)),
            Limit(
                "look-up of one person after a year, ms",
                LOOKUP_LIMIT,
                usual * YEAR / asked.deliveries,
            ),
        ],
        notes=[
            f"Disclosure look-up of one person over all consumers, {asked.deliveries:,} deliveries"
            f" and {asked.packed:,} packed rows in the ledger: median {usual:.1f} ms, 95th"
            f" percentile {worst:.1f} ms. A look-up asks for one bucket of each delivery, so its"
            f" time grows with the deliveries; a year has about {YEAR:,}."
        ],
    )


def _added(used: Used, base: Used) -> float:
    return 100 * (used.seconds / base.seconds - 1)


def _row(what: str, used: Used, base: Used) -> tuple[str, ...]:
    added = f"{_added(used, base):+.0f}%" if used is not base else ""
    cpu = f"{100 * (used.cpu / base.cpu - 1):+.0f}%" if used is not base else ""
    figures = (cell(used.seconds, 2), added, cell(used.client, 2), cell(used.server, 2), cpu)
    return what, *figures


if __name__ == "__main__":
    main()
