"""What is answered to a call, and how often it is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.base.platform_signature import Credential, Verifier
from onecard.daemon import proving
from onecard.daemon.callers import Callers
from onecard.daemon.proving import CALLS_AT_ONCE, FAILURES_AT_ONCE
from onecard.live import calls
from onecard.live.calls import Gatekeeper
from tests.waking import BINDINGS, CALLERS, EVENTS, HEALTH, HRSS, NOW_MS, VISITS, Clocks, call

HERE = "192.0.2.1"


class Gate:
    """A gatekeeper whose clocks a test sets."""

    def __init__(self, callers: Callers = CALLERS) -> None:
        self.clocks = Clocks()
        self.judged = 0
        self.verifier = Verifier(1000, self.clocks.system, self.clocks.steady)
        self.keeper = Gatekeeper(lambda: callers, self.verifier, self.clocks.steady)

    def ask(
        self, headers: dict[str, str], dataset: str = EVENTS, address: str = HERE
    ) -> calls.Answer:
        return self.keeper.judge(address, dataset, list(headers.items()))

    def code(self, headers: dict[str, str], dataset: str = EVENTS, address: str = HERE) -> str:
        return self.ask(headers, dataset, address).code


def own(credential: Credential = HRSS, **changed: str) -> dict[str, str]:
    return call(credential, at_ms=NOW_MS, **changed)


@pytest.mark.parametrize(
    ("credential", "dataset"), [(HRSS, EVENTS), (HRSS, BINDINGS), (HEALTH, VISITS)]
)
def test_each_caller_wakes_its_own(credential: Credential, dataset: str) -> None:
    assert Gate().ask(own(credential), dataset) is calls.WOKEN


FORGED = "A" * 43 + "="
UNPROVED = {
    "forged": (own(sign=FORGED), EVENTS),
    "another key": (own(Credential(HRSS.sid, b"guessed key, guessed")), EVENTS),
    "an unknown sid": (own(Credential("nobody", HRSS.key)), EVENTS),
    "another caller's dataset": (own(HEALTH), EVENTS),
    "a dataset that is not there": (own(), "hrss/nothing"),
    "no dataset": (own(), ""),
    "no headers": ({}, EVENTS),
    "one header is missing": ({n: v for n, v in own().items() if not n.endswith("rid")}, EVENTS),
    "an rtime that is no number": (own(rtime="yesterday"), EVENTS),
    "a long sid": (own(sid="s" * 65), EVENTS),
    "another's prefix": (own(Credential(HRSS.sid, HRSS.key, HEALTH.form)), EVENTS),
    "forged and late": (call(at_ms=0, sign=FORGED, rtime="1000000000000"), EVENTS),
}


@pytest.mark.parametrize("why", UNPROVED)
def test_who_proves_nothing_learns_nothing(why: str) -> None:
    headers, dataset = UNPROVED[why]
    assert Gate().ask(headers, dataset) is calls.REFUSED


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*own(), *own(HEALTH), "GJGXJHPT_SIGN", "host", "cookie"]),
        st.one_of(
            st.text(st.characters(max_codepoint=0xFF), max_size=80),
            st.sampled_from([HRSS.sid, HEALTH.sid, FORGED, str(NOW_MS), "rid"]),
        ),
        max_size=8,
    ),
    st.text(max_size=20),
)
def test_no_headers_wake_without_a_key(headers: dict[str, str], dataset: str) -> None:
    for wanted in (EVENTS, dataset):
        assert Gate().ask(headers, wanted) is calls.REFUSED


def test_a_replayed_call_is_told_so() -> None:
    gate, headers = Gate(), own()
    found = [gate.ask(headers), gate.ask(headers), gate.ask(headers, BINDINGS)]
    assert found == [calls.WOKEN, calls.REPLAYED, calls.REPLAYED]


@pytest.mark.parametrize("minutes", [-6, 2, 10])
def test_an_old_or_future_call_is_told_so(minutes: int) -> None:
    headers = call(at_ms=NOW_MS + minutes * 60_000)
    assert Gate().ask(headers) is calls.OUT_OF_TIME
    assert Gate().ask(headers, VISITS) is calls.REFUSED, "not his: nothing is told"


def test_who_fails_often_is_told_to_wait_and_who_proves_himself_is_not() -> None:
    gate = Gate()
    codes = [gate.code(own(sign=FORGED)) for _ in range(FAILURES_AT_ONCE + 30)]
    assert codes == ["40"] * FAILURES_AT_ONCE + ["44"] * 30
    last = gate.ask(own(sign=FORGED))
    assert (last.code, last.retry_s) == ("44", pytest.approx(1.0))
    proved = own()
    found = [gate.code(proved), gate.code(proved), gate.code(call(at_ms=NOW_MS - 360_000))]
    assert found == ["00", "42", "41"], "a stranger behind the same address costs a caller nothing"
    gate.clocks.go_on(1.0)
    assert [gate.code(own(sign=FORGED)) for _ in range(2)] == ["40", "44"]


def test_who_fails_elsewhere_or_as_somebody_else_costs_a_caller_nothing() -> None:
    gate = Gate()
    for _ in range(2 * FAILURES_AT_ONCE):
        gate.ask(own(sign=FORGED), address="198.51.100.7")
        gate.ask(own(Credential("nobody", b"x")))
        gate.ask({})
    assert gate.code(own()) == "00"


def test_addresses_of_one_subscriber_fail_together() -> None:
    gate = Gate()
    addresses = [f"2001:db8:1:2::{n:x}" for n in range(1, FAILURES_AT_ONCE + 2)]
    codes = [gate.code(own(sign=FORGED), address=address) for address in addresses]
    assert codes == ["40"] * FAILURES_AT_ONCE + ["44"]
    assert gate.code(own(sign=FORGED), address="2001:db8:1:3::1") == "40"


def test_addresses_that_only_look_alike_do_not_fail_together() -> None:
    gate = Gate()
    for _ in range(FAILURES_AT_ONCE):
        gate.code(own(sign=FORGED), address="::ffff:192.0.2.1")
    assert gate.code(own(sign=FORGED), address="::ffff:192.0.2.2") == "40"
    assert gate.code(own(sign=FORGED), address="::ffff:192.0.2.1") == "44"


def test_strangers_without_end_need_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "MOST_FAILING", 50)
    gate = Gate()
    for n in range(3 * proving.MOST_FAILING):
        gate.ask({"gjgxjhpt_sid": "x"}, address=f"stranger {n}")
    assert len(gate.keeper._prover._failures) == proving.MOST_FAILING
    assert gate.verifier._used == {}, "nobody is remembered without a key"


def test_a_caller_that_calls_too_often_waits_and_is_told_how_long() -> None:
    gate = Gate()
    codes = [gate.code(own()) for _ in range(1000)]
    assert codes == ["00"] * CALLS_AT_ONCE + ["45"] * (1000 - CALLS_AT_ONCE)
    assert gate.ask(own()).retry_s == pytest.approx(0.05)
    assert len(gate.verifier._used["gjgxjhpt_", HRSS.sid]) == CALLS_AT_ONCE
    assert gate.code(own(HEALTH), VISITS) == "00", "another caller is not concerned"
    gate.clocks.go_on(0.06)
    assert gate.code(own()) == "00"


def test_replays_do_not_use_up_the_callers_own_calls() -> None:
    gate, headers = Gate(), own()
    assert gate.code(headers) == "00"
    for n in range(1000):
        gate.ask(headers, address=f"thief {n}")
    assert [gate.code(own()) for _ in range(CALLS_AT_ONCE - 1)] == ["00"] * (CALLS_AT_ONCE - 1)


def test_more_than_can_be_remembered_in_the_window_waits() -> None:
    gate = Gate()
    gate.keeper._prover._verifier = Verifier(2, gate.clocks.system, gate.clocks.steady)
    assert [gate.code(own()) for _ in range(3)] == ["00", "00", "45"]
