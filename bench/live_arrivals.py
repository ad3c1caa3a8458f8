"""When events had reached their consumers, by the ledger, and what consumers hold, by their inboxes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import polars as pl

from bench.live_counter import EVENTS
from bench.statements import statements
from demo import inbox
from demo.rehearsal import Rehearsal
from demo.run import INBOX_ONLY
from demo.verify_inboxes import EVERYTHING, compared
from onecard.app.wiring import Hub
from onecard.store import database

AGREEMENTS = (
    "f01-hrss-transport-card-status",
    "f02-hrss-medical_insurance-card-status",
    "f03-hrss-health-card-status",
    "f04-hrss-education-card-status",
    "f05-hrss-bank-card-event",
    "f06-hrss-housing_fund-card-status",
    "f07-hrss-operator-card-status",
)
"""Consumers of a card's status: a folder, HTTP, SFTP and a database."""
_SQL = statements("live_arrivals")
_KNOWN = {"agreement": pl.String, "version": pl.Int64, "at": pl.Float64}
_OF_ALL = {"dataset": EVENTS, "agreements": list(AGREEMENTS)}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A delivery that a consumer has confirmed.

    Attributes:
        version: of the events, up to which the consumer has them.
        at: seconds since 1970.
    """

    agreement: str
    version: int
    at: float


def arrived(address: str, published: int) -> bool:
    """Whether so many events are published, and every consumer has confirmed the last of them.

    Args:
        address: of the hub's database.
        published: events of the bench.

    Raises:
        SystemExit: a transfer waits for a person: nothing would go on.
    """
    with database.connect(address, autocommit=True) as connection:
        ((held,),) = connection.execute(_SQL["held"]).fetchall()
        if held:
            msg = f"{held} transfer(s) are held"
            raise SystemExit(msg)
        there = connection.execute(_SQL["published"]).fetchone()
        waiting = connection.execute(_SQL["waiting"], _OF_ALL).fetchone()
    return there == (published,) and waiting == (0,)


def last_confirmations(address: str, ids: Collection[str]) -> dict[str, float]:
    """When the last of the consumers had confirmed each event, in seconds since 1970.

    Args:
        address: of the hub's database.
        ids: of the events; all have arrived.
    """
    with database.connect(address, autocommit=True) as connection:
        versions = {str(i): int(str(v)) for i, v in connection.execute(_SQL["events"])}
        lines = connection.execute(_SQL["confirmed"], _OF_ALL).fetchall()
    found = [Confirmation(str(a), int(str(v)), float(str(at))) for a, v, at in lines]
    return last_of(found, {event: versions[event] for event in ids})


def last_of(found: Iterable[Confirmation], versions: Mapping[str, int]) -> dict[str, float]:
    """Of each event the moment at which the last consumer had confirmed its version or a later one.

    Args:
        found: all that the consumers have confirmed.
        versions: of the registry, by event.
    """
    wanted = pl.DataFrame(
        {"event": list(versions), "version": list(versions.values())},
        schema={"event": pl.String, "version": pl.Int64},
    ).sort("version")
    last: dict[str, float] = dict.fromkeys(versions, 0.0)
    lines = [(c.agreement, c.version, c.at) for c in found]
    known = pl.DataFrame(lines, schema=_KNOWN, orient="row")
    for _, of_one in known.group_by("agreement"):
        first = of_one.sort("version", descending=True).with_columns(pl.col("at").cum_min())
        joined = wanted.join_asof(first.sort("version"), on="version", strategy="forward")
        for event, at in joined.select("event", "at").iter_rows():
            last[event] = max(last[event], at if at is not None else float("inf"))
    return last


def quantile(seconds: Sequence[float], share: float) -> float:
    """The least of some durations within which that share of them lies.

    Args:
        seconds: at least one.
        share: between 0 and 1.
    """
    return sorted(seconds)[max(0, ceil(share * len(seconds)) - 1)]


@dataclass(frozen=True, slots=True)
class Held:
    """What one consumer has.

    Attributes:
        rows: that it holds.
        wrong: rows that it lacks, or holds otherwise than its agreement says now.
        twice: rows that came more than once.
    """

    rows: int
    wrong: int
    twice: int


def held(stage: Rehearsal, hub: Hub) -> dict[str, Held]:
    """What every consumer has in its own system, beside what its agreement's query gives now.

    Args:
        stage: where the inboxes are.
        hub: at the present time.
    """
    found: dict[str, Held] = {}
    for name in AGREEMENTS:
        agreement = hub.catalogue.agreement(name)
        there = stage.city.inbox(agreement.consumer)[name]
        verdict = compared(agreement, hub.deliver(name).preview(EVERYTHING), there)
        wrong = verdict.missing + verdict.differing + verdict.extra
        came = _came(stage, agreement.consumer, name)
        found[name] = Held(verdict.held, wrong, 0 if came is None else came - len(there))
    return found


def _came(stage: Rehearsal, consumer: str, agreement: str) -> int | None:
    """Rows that came to an inbox that keeps all; None of a table, where a key stands once."""
    home = stage.city.home
    if consumer == "housing_fund":
        return None
    if consumer in INBOX_ONLY:
        sendings = inbox.http_sendings(home / "inbox" / INBOX_ONLY[consumer], agreement)
    else:
        folder = {"transport": "transport", "education": "sftp"}[consumer]
        sendings = inbox.file_sendings(home / folder / "inbox", agreement)
    return sum(len(sending.rows) for sending in sendings[agreement])
