"""What `onecard doctor` says of those who may ask: whether they can."""

from __future__ import annotations

from collections.abc import Iterator

from onecard.crypto import keys
from onecard.errors import OnecardError
from onecard.operations.check_line import CheckLine
from onecard.ports.desk import Desk
from onecard.store import agreement_lives
from onecard.store.database import Connection

CHECK = "callers"


def check(connection: Connection, desk: Desk) -> Iterator[CheckLine]:
    """Whether each consumer of a query or verify agreement in force has a system with a key.

    Args:
        connection: of the hub's database.
        desk: the hub.
    """
    today = desk.settings.now().date()
    asked = [a for _, a in sorted(desk.catalogue.agreements.items()) if a.asked]
    by_consumer: dict[str, list[str]] = {}
    for agreement in asked:
        if agreement_lives.life(connection, agreement, today).state == "in_force":
            by_consumer.setdefault(agreement.consumer, []).append(agreement.id)
    if not by_consumer:
        return
    try:
        systems, known = desk.catalogue.callers, desk.keys.listed()
    except OnecardError:  # said of the key file and of the YAML themselves
        return
    with_key = {k.purpose for k in known if k.current}
    found = list(_wanting(by_consumer, desk, with_key))
    yield from found
    if not found:
        counted = sum(any(map(system.asks_for, by_consumer)) for system in systems.values())
        yield CheckLine(CHECK, "ok", f"{counted} system(s) can ask under agreements in force")


def _wanting(
    by_consumer: dict[str, list[str]], desk: Desk, with_key: set[str]
) -> Iterator[CheckLine]:
    """Consumers without a system that may ask, and systems without a key."""
    for consumer, agreements in by_consumer.items():
        under = ", ".join(agreements)
        own = [s for s, x in desk.catalogue.callers.items() if x.asks_for(consumer)]
        if not own:
            todo = f"name a system of {consumer} in callers.yaml, or suspend the agreement"
            yield CheckLine(CHECK, "warn", f"nobody of {consumer} may ask under {under}", todo)
        for sid in own:
            if keys.caller_purpose(sid) not in with_key:
                todo = f"`onecard keys add {sid} --for caller --epoch E`, and hand the appKey over"
                yield CheckLine(
                    CHECK, "fail", f"{sid} has no key and cannot ask under {under}", todo
                )
