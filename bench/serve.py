"""`python -m bench.serve`: how many calls about single persons a second, and how long each takes.

`onecard serve` before a registry of cards, asked by a client of its own process whose calls were
signed beforehand: on more and more connections, at a steady rate, and long enough to see whether its
memory grows. Interleaved with it, on the same server, a bare handler that looks the same person up
and does nothing else. At the end the record is compared with the answers.
Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import json
import shutil
import time
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bench import server_cpu
from bench.arguments import parser
from bench.results import publish
from bench.serve_calls import Callers, Signed, send
from bench.serve_client import Job, Sending
from bench.serve_processes import HOST, Served, bare, governed
from bench.serve_section import Figures, Phase, Record, section, typical
from bench.server import running
from bench.statements import statements
from demo.hot import fill_card_master
from demo.rehearsal import Rehearsal, start
from onecard.crypto import answers
from onecard.store import database, question_audit

CONNECTIONS = (8, 32, 64)
"""The last of them also for the bare handler."""
EACH = 8_000
"""Calls of a round on so many connections; fewer where `--calls` says fewer in all."""
RATE, SECONDS, CALLS, PARTS = 200.0, 60.0, 100_000, 5
WARM = 300
_SQL = statements("serve")
KEPT = 500
"""Each so many answers one is proved at the end."""
ANSWERED = "00"
PEOPLE = 50_000
OFFICE_HOUR = 10


@dataclass
class Bench:
    """A service that is measured.

    Attributes:
        stage: whose registry is filled.
        base: address of the database's server.
        callers: make calls.
        answered: ids of the requests that were answered.
        sample: some answers, with the bodies that they answer.
    """

    stage: Rehearsal
    base: str
    callers: Callers
    answered: list[str] = field(default_factory=list)
    sample: list[tuple[bytes, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of the hub's database."""
        return self.stage.environment["ONECARD_DATABASE_URL"]

    def ask(self, served: Served, name: str, count: int, **way: float) -> tuple[Phase, Phase]:
        """Send new calls to `onecard serve`.

        Args:
            served: the service.
            name: of the phase.
            count: how many calls.
            way: `connections` or `rate` of the job.

        Returns:
            All the calls, and those about persons whom the registry has.
        """
        with database.connect(self.address, autocommit=True) as connection:
            connection.execute(_SQL["quotas as new"])
        signed = self.callers.sign(count, served.host)
        phase, found = self.send(served, name, signed, **way)
        self._keep(signed, found)
        calls = zip(found.took, found.codes, signed.known, strict=True)
        known = [took for took, code, is_known in calls if is_known and code == ANSWERED]
        of_known = Phase("of these, persons whom it has", known, 0, phase.seconds, 0.0, None, 0.0)
        return phase, of_known

    def send(
        self, served: Served, name: str, signed: Signed, **way: float
    ) -> tuple[Phase, Sending]:
        """Send calls to a service, and measure it."""
        cpu, server = served.cpu, server_cpu.spent(self.base)
        connections, rate = int(way.get("connections", 0)), way.get("rate", 0.0)
        found = send(Job(HOST, served.port, signed.wires, connections, rate, KEPT))
        spent = server_cpu.since(server, server_cpu.spent(self.base))
        took = [t for t, code in zip(found.took, found.codes, strict=True) if code == ANSWERED]
        other = len(found.took) - len(took)
        phase = Phase(name, took, other, found.seconds, served.cpu - cpu, spent, found.cpu)
        said = f"{phase.rate:.0f}/s, P95 {phase.milliseconds(0.95):.0f} ms, {Counter(found.codes)}"
        progress(f"{name}: {said}")
        return phase, found

    def _keep(self, signed: Signed, found: Sending) -> None:
        """Remember what was answered."""
        pairs = zip(signed.requests, found.codes, strict=True)
        self.answered += [request for request, code in pairs if code == ANSWERED]
        for number, text in found.kept.items():
            if found.codes[int(number)] == ANSWERED:
                self.sample.append((signed.bodies[int(number)], text))

    def record(self) -> Record:
        """What is on record, beside what was answered."""
        hub = self.stage.hub(0)
        with database.connect(self.address, autocommit=True) as connection:
            lines = connection.execute(_SQL["recorded"]).fetchall()
            verdict = question_audit.verify_all(connection, hub.settings.home / "audit", hub.signer)
        recorded = Counter(str(request) for (request,) in lines)
        right = sum(
            not answers.problem(json.loads(text), body, hub.signer.verify)
            for body, text in self.sample
        )
        return Record(
            answered=len(self.answered),
            missing=len(set(self.answered) - set(recorded)),
            twice=sum(count > 1 for count in recorded.values()),
            unanswered=len(set(recorded) - set(self.answered)),
            proved=(right, len(self.sample)),
            problem=verdict.problem,
        )


def measured(bench: Bench, options: Namespace) -> Figures:
    """All phases, one after the other."""
    environment, home = daytime(bench.stage), bench.stage.home
    closed: dict[int, list[Phase]] = defaultdict(list)
    bares: list[Phase] = []
    each = min(EACH, options.calls)
    with governed(environment, home / "serve.log") as served:
        bench.ask(served, "warm", min(WARM, each), connections=CONNECTIONS[0])
        for _ in range(options.rounds):
            for connections in CONNECTIONS:
                name = f"{connections} connections"
                phase, _ = bench.ask(served, name, each, connections=connections)
                closed[connections].append(phase)
            bares.append(_bare(bench, home, each))
        count = round(RATE * options.seconds)
        steady = bench.ask(
            served, f"{RATE:.0f} calls/s for {options.seconds:.0f} s", count, rate=RATE
        )
        long, megabytes = _long(bench, served, options.calls)
    return Figures(
        rows=options.rows,
        rounds=options.rounds,
        closed=[typical(phases) for phases in closed.values()],
        bare=typical(bares),
        steady=steady,
        long=long,
        megabytes=megabytes,
        record=bench.record(),
    )


def _bare(bench: Bench, home: Path, count: int) -> Phase:
    """The same calls, on as many connections, answered by the bare handler."""
    connections = CONNECTIONS[-1]
    with bare(bench.address, bench.stage.environment, home / "bare.log") as served:
        bench.send(served, "warm", bench.callers.sign(WARM, served.host), connections=8)
        signed = bench.callers.sign(count, served.host)
        name = f"the bare handler, {connections} connections"
        return bench.send(served, name, signed, connections=connections)[0]


def _long(bench: Bench, served: Served, calls: int) -> tuple[Phase, list[float]]:
    """So many calls, and the service's memory after each part of them."""
    parts, held = [], []
    for part in range(PARTS):
        name = f"part {part + 1} of {PARTS}"
        parts.append(bench.ask(served, name, calls // PARTS, connections=CONNECTIONS[-1])[0])
        held.append(served.megabytes)
    whole = Phase(
        f"{calls:,} calls, {CONNECTIONS[-1]} connections",
        [took for part in parts for took in part.took],
        sum(part.other for part in parts),
        sum(part.seconds for part in parts),
        sum(part.service for part in parts),
        None if parts[0].server is None else sum(part.server or 0.0 for part in parts),
        sum(part.client for part in parts),
    )
    return whole, held


def daytime(stage: Rehearsal) -> dict[str, str]:
    """The environment of the day after night 0, at an hour at which people ask."""
    now = (stage.city.now(0) + timedelta(days=1)).replace(hour=OFFICE_HOUR, minute=0)
    return {**stage.environment, "ONECARD_NOW": now.isoformat()}


@contextmanager
def prepared(home: Path, base: str, rows: int) -> Iterator[Bench]:
    """A hub whose registry has so many cards.

    Args:
        home: folder of the hub, which goes at the end.
        base: address of the database's server.
        rows: cards.
    """
    with start(home, persons=1000, seed=1, postgres=base) as stage:
        fill_card_master(stage.city.postgres_url, "hrss", rows)
        hub = stage.hub(0)
        for dataset in ("hrss/card_master", "health/death_notice"):
            hub.collect(dataset).run()
        with database.connect(hub.address, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE registry.hrss__card_master")
        progress(f"{rows:,} cards")
        yield Bench(stage, base, Callers.of(stage, min(rows // 2, PEOPLE)))
    shutil.rmtree(home, ignore_errors=True)


def progress(what: str) -> None:
    """Say how far it is."""
    print(f"  {time.strftime('%H:%M:%S')}  {what}", flush=True)


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=2_000_000)
    words.add_argument("--calls", type=int, default=CALLS, help="of the last phase, for memory")
    words.add_argument("--seconds", type=float, default=SECONDS, help="at a steady rate")
    options = words.parse_args()
    options.home.mkdir(parents=True, exist_ok=True)
    with (
        running(options.home) as base,
        prepared(options.home / "serve", base, options.rows) as made,
    ):
        figures = measured(made, options)
    publish(options, section(figures))


if __name__ == "__main__":
    main()
