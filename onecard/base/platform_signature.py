"""The signature of the national sharing platform's calls: made, and verified.

A call carries four headers, each after a prefix (the city's may differ): `sid` says who calls,
`rid` is a new id for every call, `rtime` its time in milliseconds since 1970, and

    sign = Base64(HMAC(appKey, sid + rid + rtime))      with SHA-256 or SM3

Path and body are not under the platform's signature. Where both sides agree on it they are: `bound`
gives what is then signed behind `rtime`. It stands in this room because connectors sign by it and
may not know `onecard.crypto`, whose keys are the hub's own: an appKey is a connection's password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from onecard.base.frozen import Frozen

WINDOW_MS = 5 * 60 * 1000
"""A call is taken for so long after its `rtime`."""
AHEAD_MS = 60 * 1000
"""So far a caller's clock may run before ours."""
MOST_RIDS = 100_000
"""Calls of one caller that are remembered; more within the window are not taken."""

Algorithm = Literal["sha256", "sm3"]
Judgement = Literal["accepted", "forged", "out_of_time", "replayed", "too_many"]
"""`out_of_time`, `replayed` and `too_many` are said of calls whose signature is right."""

FORMS = {
    "sid": re.compile(r"[\x21-\x7e]{1,64}"),
    "rid": re.compile(r"[\x21-\x7e]{1,64}"),
    # Of one length: else a digit could move between rid and rtime, and the signature would hold.
    "rtime": re.compile(r"[0-9]{13}"),
    "sign": re.compile(r"[A-Za-z0-9+/]{43}="),
}
"""The four values of a call, each of one form."""


class SignatureForm(Frozen):
    """How a system writes the signature: the prefix of its headers, and the hash of its HMAC."""

    header_prefix: str = Field(default="gjgxjhpt_", pattern=r"^[A-Za-z0-9_-]{0,32}$")
    algorithm: Algorithm = "sha256"


@dataclass(frozen=True, slots=True)
class Credential:
    """What one caller signs with.

    Attributes:
        sid: who it is.
        key: its appKey.
        form: how it writes the signature.
    """

    sid: str
    key: bytes = field(repr=False)
    form: SignatureForm = field(default_factory=SignatureForm)


@dataclass(frozen=True, slots=True)
class SignedCall:
    """The four headers of a call, in the form that they must have; nothing is proved yet."""

    sid: str
    rid: str
    rtime: str
    sign: str

    @classmethod
    def of(cls, prefix: str, headers: Iterable[tuple[str, str]]) -> SignedCall | None:
        """Read them; None: one is missing, stands twice, or is not of its form.

        Args:
            prefix: of the headers' names, in which upper and lower case are the same.
            headers: names and values of the call, in any order.
        """
        wanted = {(prefix + name).lower(): name for name in FORMS}
        found: dict[str, str] = {}
        for header, value in headers:
            name = wanted.get(header.lower())
            if name is None:
                continue
            if name in found or not FORMS[name].fullmatch(value):
                return None
            found[name] = value
        return cls(**found) if len(found) == len(FORMS) else None


def system_ms() -> int:
    """The system's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def signed_headers(credential: Credential, more: bytes = b"") -> dict[str, str]:
    """The headers of one call made now, with a `rid` of its own.

    Args:
        credential: who signs.
        more: is signed behind them (`bound`).
    """
    rid, rtime = uuid.uuid4().hex, str(system_ms())
    values = {"sid": credential.sid, "rid": rid, "rtime": rtime}
    values["sign"] = signature(credential, rid, rtime, more)
    return {credential.form.header_prefix + name: value for name, value in values.items()}


def signature(credential: Credential, rid: str, rtime: str, more: bytes = b"") -> str:
    """The value of `sign`.

    Args:
        credential: who signs.
        rid: id of the call.
        rtime: its time, in milliseconds since 1970, as text.
        more: is signed behind them (`bound`).
    """
    mac = _hmac_sm3 if credential.form.algorithm == "sm3" else _hmac_sha256
    text = f"{credential.sid}{rid}{rtime}".encode() + more
    return base64.b64encode(mac(credential.key, text)).decode()


def bound(form: SignatureForm, path: str, body: bytes) -> bytes:
    """What binds a signature to a call's path and body: a line of each, the body by its hash.

    No call can pass for another: a `sid`, a `rid` and a path have no line break, an `rtime` has
    always 13 digits.

    Args:
        form: its algorithm is also that of the hash, which stands in hexadecimal.
        path: as it is called, from the first slash on, without a query.
        body: as it is sent.
    """
    return f"\n{path}\n{body_digest(form, body)}".encode()


def body_digest(form: SignatureForm, body: bytes) -> str:
    """The hash of a body by the caller's algorithm, in hexadecimal."""
    return _sm3(body) if form.algorithm == "sm3" else hashlib.sha256(body).hexdigest()


class Verifier:
    """Tells callers' calls from forged, late and repeated ones; may be used from many threads.

    What was accepted is remembered in this process only, for as long as its time could pass. It is
    forgotten by the system's clock and a steady one, the later of the two: a clock that is set back
    opens no old call again.

    Args:
        most_rids: calls remembered for one caller; with more in the window none is accepted.
        now_ms: the system's clock, in milliseconds since 1970.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        most_rids: int = MOST_RIDS,
        now_ms: Callable[[], int] = system_ms,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._now_ms, self._steady_s = most_rids, now_ms, steady_s
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str], OrderedDict[str, tuple[int, float]]] = {}

    def judge(self, call: SignedCall, credential: Credential, more: bytes = b"") -> Judgement:
        """What is to be said of a call; it is not remembered.

        Args:
            call: its headers.
            credential: of the caller that it names.
            more: is signed behind them (`bound`).
        """
        wanted = signature(credential, call.rid, call.rtime, more)
        right = hmac.compare_digest(call.sign.encode(), wanted.encode())
        if not right or call.sid != credential.sid:
            return "forged"
        if not -AHEAD_MS <= self._now_ms() - int(call.rtime) <= WINDOW_MS:
            return "out_of_time"
        with self._lock:
            used = self._remembered(credential)
            if call.rid in used:
                return "replayed"
            return "accepted" if len(used) < self._most else "too_many"

    def accept(self, call: SignedCall, credential: Credential, more: bytes = b"") -> Judgement:
        """The same, and an accepted call is accepted this once.

        Args:
            call: its headers.
            credential: of the caller that it names.
            more: is signed behind them (`bound`).
        """
        found = self.judge(call, credential, more)
        if found != "accepted":
            return found
        with self._lock:
            used = self._remembered(credential)
            if call.rid in used:  # another thread has accepted it meanwhile
                return "replayed"
            kept_ms = WINDOW_MS + AHEAD_MS
            used[call.rid] = (self._now_ms() + kept_ms, self._steady_s() + kept_ms / 1000)
        return "accepted"

    def _remembered(self, credential: Credential) -> OrderedDict[str, tuple[int, float]]:
        """The rids of a caller, without those whose time is over on both clocks."""
        caller = (credential.form.header_prefix.lower(), credential.sid)
        used = self._used.setdefault(caller, OrderedDict())
        now_ms, steady_s = self._now_ms(), self._steady_s()
        while used:
            until_ms, until_s = next(iter(used.values()))
            if now_ms <= until_ms or steady_s <= until_s:
                break
            used.popitem(last=False)
        return used


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    # not `hmac.digest`, which lets go of the interpreter: who asked waits until it has it again
    return hmac.new(key, message, hashlib.sha256).digest()


def _sm3(data: bytes) -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only where SM3 is chosen

    hashed = hashes.Hash(hashes.SM3())
    hashed.update(data)
    return hashed.finalize().hex()


def _hmac_sm3(key: bytes, message: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only where SM3 is chosen
    from cryptography.hazmat.primitives.hmac import HMAC  # noqa: PLC0415

    mac = HMAC(key, hashes.SM3())
    mac.update(message)
    return mac.finalize()
