"""Whether a call is its caller's own: signature and time, before its body is read as JSON.

Whoever has no key learns nothing: no such caller and a wrong signature are one answer. What is not
proved is counted by address and sid, and answered shortly beyond a bound. A signed call is taken
once: that is held in the record of calls, for all processes, not here.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from onecard.base.platform_signature import (
    Credential,
    SignatureForm,
    SignedCall,
    Verifier,
    body_digest,
    bound,
)
from onecard.base.token_bucket import TokenBuckets
from onecard.daemon.codes import Code
from onecard.serve import codes
from onecard.serve.keyring import Keyring
from schemas.models.callers import CallerSystem

FAILURES_PER_SECOND, FAILURES_AT_ONCE = 1.0, 20
"""Unproved calls of one address under one sid, before they have a code of their own."""
MOST_FAILING = 4096
"""Pairs of address and sid that are remembered to have failed."""
_NOBODY = (Credential("", secrets.token_bytes(32)),)
"""A call of an unknown caller is measured by a key that nobody has, so that it takes as long."""


@dataclass(frozen=True, slots=True)
class Proved:
    """Who calls, for certain.

    Attributes:
        sid: of the system.
        system: what the register says of it.
        rid: of the call.
        digest: of the body, by the caller's algorithm, in hexadecimal.
    """

    sid: str
    system: CallerSystem
    rid: str
    digest: str


class Gatekeeper:
    """Judges signatures; for one thread, in bounded memory whoever calls and however often.

    Args:
        keys: keys as they are now; None: nobody is proved.
        verifier: default: by the system's clock.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        keys: Callable[[], Keyring | None],
        verifier: Verifier | None = None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._verifier = verifier or Verifier()
        self._failures = TokenBuckets(FAILURES_PER_SECOND, FAILURES_AT_ONCE, MOST_FAILING, steady_s)

    def judge(
        self, address: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Proved | Code:
        """Who calls, or why that is not certain.

        Args:
            address: where the call comes from.
            path: as it is called.
            headers: all of them, with names in any case.
            body: as it came.
        """
        keys = self._keys()
        if keys is None:
            return codes.UNAVAILABLE
        signed = _claimed(keys.prefixes, headers)
        found = self._judged(signed, keys, path, body)
        if found is not codes.NOT_PROVED:
            return found
        wait = self._failures.take((address, signed.sid if signed else ""))
        return codes.FAILED_TOO_OFTEN if wait else codes.NOT_PROVED

    def _judged(
        self,
        signed: SignedCall | None,
        keys: Keyring,
        path: str,
        body: bytes,
    ) -> Proved | Code:
        if signed is None:
            return codes.NOT_PROVED
        system = keys.callers.get(signed.sid)
        form = system or SignatureForm()
        more = bound(form, path, body)
        said = {
            self._verifier.judge(signed, credential, more)
            for credential in keys.credentials.get(signed.sid) or _NOBODY
        }
        if system is None or said == {"forged"}:
            return codes.NOT_PROVED
        if "accepted" not in said:
            return codes.OUT_OF_TIME
        return Proved(signed.sid, system, signed.rid, body_digest(form, body))


def _claimed(prefixes: Iterable[str], headers: Sequence[tuple[str, str]]) -> SignedCall | None:
    """The call by the first prefix that it is whole with."""
    found = (SignedCall.of(prefix, headers) for prefix in prefixes)
    return next((call for call in found if call is not None), None)
