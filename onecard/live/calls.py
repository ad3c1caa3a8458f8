"""What is answered to a call that wants to wake a dataset, before anything of HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from onecard.base.platform_signature import Verifier
from onecard.daemon.callers import Callers
from onecard.daemon.proving import Prover
from onecard.daemon.proving import Reason as ProofReason


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

_SAID: dict[ProofReason, Answer] = {
    "accepted": WOKEN,
    "not_proved": REFUSED,
    "failed_too_often": FAILED_TOO_OFTEN,
    "out_of_time": OUT_OF_TIME,
    "replayed": REPLAYED,
    "too_often": TOO_OFTEN,
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
        self._prover = Prover(callers, verifier, steady_s)

    def judge(self, address: str, dataset: str, headers: Sequence[tuple[str, str]]) -> Answer:
        """The answer to one call; `WOKEN` says that the lane is to be woken now.

        `TOO_OFTEN` is said to callers who have proved themselves: the wake-up may be kept for them.

        Args:
            address: where it comes from.
            dataset: that it wants to wake.
            headers: all of them, with names in any case.
        """
        proof = self._prover.judge(address, dataset, headers)
        answer = _SAID[proof.reason]
        return replace(answer, retry_s=proof.retry_s) if proof.retry_s else answer
