"""One call on its way through a group: what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from onecard.crypto import answers
from onecard.crypto.audit_format import canonical_json
from onecard.crypto.keys import Key
from onecard.crypto.suites import Suite
from onecard.daemon.codes import Code
from onecard.model.agreements import Life
from onecard.serve import quotas
from onecard.serve.calls import Call, Question
from onecard.serve.compiled import Compiled
from onecard.store.disclosures import REFERENCE_BYTES
from onecard.store.question_counts import Slot
from onecard.store.questions import Known


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller gets.

    Attributes:
        code: says how it ended.
        body: the answer, where there is one.
        found: something is said of the person; where not, nobody may tell why by the time it took.
    """

    code: Code
    body: Mapping[str, object] | None = field(default=None, repr=False)
    found: bool = False


@dataclass(slots=True, eq=False)
class Case:
    """A call that has passed the door, and what became of it.

    Attributes:
        reply: None as long as it is under way.
        key: of the consumer, under which person and request are known again.
        person: keyed reference, as in the disclosure ledger.
        series: keyed reference of the person's division and day of birth.
        mac: keyed digest of the request.
        own_salt: of its commitments, under its own key.
        slots: quotas that it counts for, with their limits.
        known: the same request was recorded before.
        result: what is said of the person, or that nothing is.
    """

    call: Call
    reply: Reply | None = None
    compiled: Compiled | None = None
    life: Life | None = None
    question: Question | None = None
    key: Key | None = None
    person: bytes = field(default=b"", repr=False)
    series: bytes = field(default=b"", repr=False)
    mac: bytes = field(default=b"", repr=False)
    own_salt: str = field(default="", repr=False)
    slots: Mapping[Slot, int] = field(default_factory=dict)
    calls_this_hour: int = 0
    known: Known | None = None
    result: Mapping[str, object] | None = field(default=None, repr=False)

    @property
    def open(self) -> bool:
        """Whether it is under way."""
        return self.reply is None

    def refuse(self, code: Code) -> None:
        """End it with a code."""
        self.reply = Reply(code)

    @property
    def asked(self) -> Question:
        """The question, of a case that has one."""
        assert self.question is not None  # noqa: S101 - admission gives every open case one
        return self.question

    @property
    def under(self) -> Compiled:
        """The agreement, of a case that has one."""
        assert self.compiled is not None  # noqa: S101 - as above
        return self.compiled

    @property
    def token_key(self) -> Key:
        """The consumer's key, of a case that has one."""
        assert self.key is not None  # noqa: S101 - as above
        return self.key

    @property
    def found(self) -> bool:
        """Whether something is said of the person."""
        return bool(self.result and self.result["outcome"] == ANSWERED)

    def identify(self, suite: Suite, key: Key) -> None:
        """Compute what person and request are known by.

        Args:
            suite: of keyed digests.
            key: of the consumer.
        """
        number, request = self.asked.id_number, self._request
        texts = [number, f"asked|{request}", f"series|{number[:SERIES_DIGITS]}", f"salt|{request}"]
        person, mac, series, salt = suite.digests(key.secret, texts)
        self.key, self.person, self.mac = key, person[-REFERENCE_BYTES:], mac
        self.series, self.own_salt = series[-REFERENCE_BYTES:], _salt(salt)

    def is_of(self, known: Known, suite: Suite, key: Key) -> bool:
        """Whether a request that was recorded under the same id is this one.

        Args:
            known: that was recorded.
            suite: of keyed digests.
            key: of the consumer, of the epoch that it names.
        """
        return suite.digests(key.secret, [f"asked|{self._request}"]) == [known.request_mac]

    def salt(self, suite: Suite, key: Key) -> str:
        """The salt of the commitments: the same whenever this request is repeated.

        Args:
            suite: of keyed digests.
            key: of the consumer, of the epoch under which the request was recorded.
        """
        (found,) = suite.digests(key.secret, [f"salt|{self._request}"])
        return _salt(found)

    def commitments(self, salt: str) -> dict[str, object]:
        """Of the receipt: hashes that stand for request and result."""
        result = canonical_json(self.result or {}).encode()
        return {
            "request": answers.commitment("request", salt, self.call.body),
            "result": answers.commitment("result", salt, result),
        }

    def count(self, now: datetime) -> None:
        """Say which quotas it counts for.

        Args:
            now: the hub's time, at +08:00.
        """
        agreement, caller = self.call.agreement, self.call.sid
        names = {
            "operator": f"{agreement}|{caller}|{self.asked.operator}",
            "caller": f"{agreement}|{caller}",
            "agreement": agreement,
            "person": f"{agreement}|{self.person.hex()}",
        }
        self.slots = quotas.slots(names, self.under.asking.quotas.items(), now)

    @property
    def _request(self) -> str:
        """What tells a request from every other of this caller."""
        call = self.call
        return f"{call.sid}|{call.agreement}|{call.verb}|{call.digest}"


def _salt(digest: bytes) -> str:
    return digest[: answers.SALT_BYTES].hex()


SERIES_DIGITS = 14
"""Of an ID number: division and day of birth (GB 11643); who counts through numbers stays there."""
ANSWERED, NONE = "answered", "none"
"""Outcomes: something is said of the person; nobody is found, in scope, or nothing may be said."""
EMPTY: Mapping[str, object] = {"fields": {}, "outcome": NONE, "sequence": None}
"""The one result for all of whom nothing is said."""
