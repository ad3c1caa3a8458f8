"""Whether a call is its caller's own, before anything of HTTP: signature, time, rate.

In this order: is the signature the caller's own, is the dataset, is the call in time and new, does
it call too often. What is not proved is counted by address and sid, and answered shortly beyond a
bound; a call that is proved never suffers by it, also where strangers come from the same address.
Whoever has no key learns nothing: no such caller, no such dataset, another's dataset and a wrong
signature are one judgement.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from onecard.base.platform_signature import Credential, Judgement, SignedCall, Verifier
from onecard.base.token_bucket import TokenBuckets
from onecard.daemon.callers import Caller, Callers

CALLS_PER_SECOND, CALLS_AT_ONCE = 20.0, 40
"""Accepted calls of one caller; 360 s of them are far below `MOST_RIDS`."""
FAILURES_PER_SECOND, FAILURES_AT_ONCE = 1.0, 20
"""Unproved calls of one address under one sid, before they are answered as such."""
MOST_FAILING = 4096
"""Pairs of address and sid that are remembered to have failed."""
MOST_RIDS = 20_000
MOST_ADDRESS = 45
FULL_S = 60.0
"""To wait where more calls are remembered than can be."""

Reason = Literal[
    "accepted", "not_proved", "failed_too_often", "out_of_time", "replayed", "too_often"
]
_NOBODY = Credential("", secrets.token_bytes(32))
"""A call of an unknown caller is measured by a key that nobody has, so that it takes as long."""
_SAID: dict[Judgement, Reason] = {
    "forged": "not_proved",
    "out_of_time": "out_of_time",
    "replayed": "replayed",
    "too_many": "too_often",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be said of a call.

    Attributes:
        reason: `accepted`, or why it is not.
        caller: whose it is, where it is accepted.
        retry_s: seconds after which a next call has a chance; 0: it is not said.
    """

    reason: Reason
    caller: Caller | None = None
    retry_s: float = 0.0


class Prover:
    """Judges calls; for one thread, in bounded memory whoever calls and however often.

    Args:
        callers: gives who may call about what, at this moment.
        verifier: default: by the system's clock.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        callers: Callable[[], Callers],
        verifier: Verifier | None = None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callers = callers
        self._verifier = verifier or Verifier(MOST_RIDS)
        self._failures = TokenBuckets(FAILURES_PER_SECOND, FAILURES_AT_ONCE, MOST_FAILING, steady_s)
        # Only proved callers have a bucket here; the bound is for sids that come and go.
        self._calls = TokenBuckets(CALLS_PER_SECOND, CALLS_AT_ONCE, MOST_FAILING, steady_s)

    def judge(
        self,
        address: str,
        dataset: str,
        headers: Sequence[tuple[str, str]],
        more: bytes = b"",
    ) -> Proof:
        """What is to be said of one call; an accepted one is accepted this once.

        Args:
            address: where it comes from.
            dataset: that it is about.
            headers: all of them, with names in any case.
            more: is signed behind the platform's values.
        """
        call, caller = self._claimed(headers)
        proof = self._judged(call, caller, dataset, more)
        if proof.reason != "not_proved":
            return proof
        failing = (_network(address), call.sid if call else "")
        wait = self._failures.take(failing)
        return Proof("failed_too_often", retry_s=wait) if wait else proof

    def _judged(
        self, call: SignedCall | None, caller: Caller | None, dataset: str, more: bytes
    ) -> Proof:
        if call is None:
            return Proof("not_proved")
        credential = caller.credential if caller else _NOBODY
        judgement = self._verifier.judge(call, credential, more)
        if caller is None or judgement == "forged" or dataset not in caller.datasets:
            return Proof("not_proved")
        if judgement != "accepted":
            return Proof(_SAID[judgement], retry_s=FULL_S if judgement == "too_many" else 0.0)
        if wait := self._calls.take(caller.agency):
            return Proof("too_often", retry_s=wait)
        self._verifier.accept(call, credential, more)
        return Proof("accepted", caller)

    def _claimed(
        self, headers: Iterable[tuple[str, str]]
    ) -> tuple[SignedCall | None, Caller | None]:
        """The call by the first prefix that it is whole with, and whom it says to come from."""
        callers = self._callers()
        for prefix in callers.prefixes:
            call = SignedCall.of(prefix, headers)
            if call is not None:
                return call, callers.find(prefix, call.sid)
        return None, None


def _network(address: str) -> str:
    """The address, or of IPv6 the 64 bits that one subscriber has."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:MOST_ADDRESS]  # a proxy on this machine may say anything
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return found.exploded[:19]
    return str(found)
