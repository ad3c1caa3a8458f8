"""What is answered to a call that wants to wake a dataset, before anything of HTTP.

In this order: is the signature the caller's own, is the dataset, is the call in time and new, does
it call too often. What is not proved is counted by address and sid, and answered shortly beyond a
bound; a call that is proved never suffers by it, also where strangers come from the same address.
Whoever has no key learns nothing: no such caller, no such dataset, another's dataset and a wrong
signature are one answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

from onecard.base.platform_signature import Credential, Judgement, SignedCall, Verifier
from onecard.base.token_bucket import TokenBuckets
from onecard.live.callers import Caller, Callers

CALLS_PER_SECOND, CALLS_AT_ONCE = 20.0, 40
"""Accepted calls of one caller; 360 s of them are far below `MOST_RIDS`."""
FAILURES_PER_SECOND, FAILURES_AT_ONCE = 1.0, 20
"""Unproved calls of one address under one sid, before they are answered with `FAILED_TOO_OFTEN`."""
MOST_FAILING = 4096
"""Pairs of address and sid that are remembered to have failed."""
MOST_RIDS = 20_000
MOST_ADDRESS = 45

_NOBODY = Credential("", secrets.token_bytes(32))
"""A call of an unknown caller is measured by a key that nobody has, so that it takes as long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets.

    Attributes:
        code: in the JSON; docs/waking.md lists all.
        status: of HTTP.
        reason: what is counted; empty: the call was accepted.
        retry_s: seconds after which a next call has a chance; 0: it is not said.
    """

    code: str
    status: int
    reason: str = ""
    retry_s: float = 0.0


WOKEN = Answer("00", 200)
WAITING = Answer("01", 200)
REFUSED = Answer("40", 401, "not proved")
OUT_OF_TIME = Answer("41", 401, "out of time")
REPLAYED = Answer("42", 409, "replayed")
BODY = Answer("43", 413, "body")
FAILED_TOO_OFTEN = Answer("44", 429, "failed too often")
TOO_OFTEN = Answer("45", 429, "too often")
NO_SUCH_PATH = Answer("46", 404, "no such path")
NO_SUCH_METHOD = Answer("47", 405, "no such method")
HEADERS = Answer("48", 431, "headers")
NOT_NOW = Answer("50", 503, "lane fails", 1.0)
ANSWERS = (
    WOKEN,
    WAITING,
    REFUSED,
    OUT_OF_TIME,
    REPLAYED,
    BODY,
    FAILED_TOO_OFTEN,
    TOO_OFTEN,
    NO_SUCH_PATH,
    NO_SUCH_METHOD,
    HEADERS,
    NOT_NOW,
)
"""The closed list."""

_JUDGED: dict[Judgement, Answer] = {
    "forged": REFUSED,
    "out_of_time": OUT_OF_TIME,
    "replayed": REPLAYED,
    "too_many": replace(TOO_OFTEN, retry_s=60.0),
}


class Gatekeeper:
    """Judges calls; for one thread, in bounded memory whoever calls and however often.

    Args:
        callers: gives who may wake what, at this moment.
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

    def judge(self, address: str, dataset: str, headers: Sequence[tuple[str, str]]) -> Answer:
        """The answer to one call; `WOKEN` says that the lane is to be woken now.

        `TOO_OFTEN` is said to callers who have proved themselves: the wake-up may be kept for them.

        Args:
            address: where it comes from.
            dataset: that it wants to wake.
            headers: all of them, with names in any case.
        """
        call, caller = self._claimed(headers)
        answer = self._judged(call, caller, dataset)
        if answer is not REFUSED:
            return answer
        failing = (_network(address), call.sid if call else "")
        wait = self._failures.take(failing)
        return replace(FAILED_TOO_OFTEN, retry_s=wait) if wait else REFUSED

    def _judged(self, call: SignedCall | None, caller: Caller | None, dataset: str) -> Answer:
        if call is None:
            return REFUSED
        credential = caller.credential if caller else _NOBODY
        judgement = self._verifier.judge(call, credential)
        if caller is None or judgement == "forged" or dataset not in caller.datasets:
            return REFUSED
        if judgement != "accepted":
            return _JUDGED[judgement]
        if wait := self._calls.take(caller.agency):
            return replace(TOO_OFTEN, retry_s=wait)
        self._verifier.accept(call, credential)
        return WOKEN

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
