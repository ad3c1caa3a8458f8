"""A lane that only remembers, clocks that tests set, and calls that are signed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from onecard.base.platform_signature import Credential, SignatureForm, signature, system_ms
from onecard.daemon.callers import Caller, Callers
from onecard.daemon.serving import Serving, serve
from onecard.live.calls import Gatekeeper
from onecard.live.door import create_app

EVENTS, BINDINGS, VISITS = "hrss/card_status_event", "hrss/ecard_binding", "health/health_visit"
NOW_MS = 1_764_403_200_000
HRSS = Credential("hrss-sid", b"key of the test, of hrss")
HEALTH = Credential(
    "health-sid", b"key of the test, of health", SignatureForm(header_prefix="zz-", algorithm="sm3")
)
CALLERS = Callers(
    [
        Caller("hrss", HRSS, frozenset({EVENTS, BINDINGS})),
        Caller("health", HEALTH, frozenset({VISITS})),
    ]
)


@dataclass
class Clocks:
    """Both clocks of a verifier; they stand still until a test moves them."""

    ms: int = NOW_MS
    s: float = 1000.0

    def system(self) -> int:
        return self.ms

    def steady(self) -> float:
        return self.s

    def go_on(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
        self.s += seconds


@dataclass
class Lane:
    """What the door asks of the lane; a wake-up waits until a test takes it."""

    known: Callers = CALLERS
    is_ready: bool = True
    broken: bool = False
    woken: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    asked: int = 0

    def wake(self, dataset: str) -> bool:
        if self.broken:
            raise RuntimeError
        if dataset in self.waiting:
            return False
        self.waiting.add(dataset)
        self.woken.append(dataset)
        return True

    def ready(self) -> bool:
        self.asked += 1
        return self.is_ready

    def callers(self) -> Callers:
        return self.known


_made = iter(range(10**9))


def call(
    credential: Credential = HRSS, rid: str = "", at_ms: int | None = None, **changed: str
) -> dict[str, str]:
    """Headers of a call, signed; some of them changed afterwards, by their short names."""
    rid = rid or f"rid-{next(_made)}"
    rtime = str(system_ms() if at_ms is None else at_ms)
    values = {"sid": credential.sid, "rid": rid, "rtime": rtime}
    values |= {"sign": signature(credential, rid, rtime)} | changed
    return {credential.form.header_prefix + name: value for name, value in values.items()}


@contextmanager
def served(lane: Lane, gatekeeper: Gatekeeper | None = None) -> Iterator[Serving]:
    """The door on a free port of the loopback."""
    serving = serve(create_app(lane, gatekeeper), "127.0.0.1", 0)
    try:
        yield serving
    finally:
        serving.close()
    assert not serving.alive
