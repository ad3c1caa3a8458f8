"""Answers systems of profile `sandbox`: declared persons who are nobody, and every code on demand.

Nothing here reads the registry, and nothing that does is given such a system's calls
(`onecard.serve.service`): so neither side can meet a person of the other. What is answered has the
form of a real answer, its receipt says that it is none, and the audit log has it by its root; no
table has it in which residents, quotas or reports look for calls.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from onecard.base.person_names import VERSION
from onecard.base.times import iso
from onecard.base.token_bucket import TokenBuckets
from onecard.crypto import answers
from onecard.crypto.audit_format import canonical_json
from onecard.crypto.keys import Key
from onecard.daemon.codes import Code
from onecard.daemon.complaint import Complaint
from onecard.errors import OnecardError
from onecard.model.agreements import Life
from onecard.ports.desk import Desk
from onecard.serve import admission, codes, sandbox_rows
from onecard.serve.calls import Call
from onecard.serve.case import EMPTY, Case, Reply
from onecard.serve.compiled import Compiled
from onecard.serve.keyring import Keyring
from onecard.serve.recording import REPEATED_WITHIN, receipt_head
from onecard.store import audit, question_calls
from onecard.store.database import Connection
from onecard.store.question_calls import Taken

if TYPE_CHECKING:
    from onecard.crypto.signing import Signer
    from schemas.models.sandbox import SandboxPeople

KIND = "sandbox.recorded"
"""Of the audit entry of a group."""
WISH = re.compile(r"sandbox-([0-9]{2})")
"""An `operator` of this form asks for the code of that number."""
PER_SECOND, AT_ONCE = 20.0, 200
"""Calls of one system: trying out takes nothing from those who work."""
MOST_REMEMBERED = 10_000
"""Requests that are known again when they are repeated, of this process."""
_OPEN = Life(state="in_force", approval=None, changed=False, stopped=None)
"""The sandbox is open before an agreement is approved, and while it is stopped."""
_BY_NUMBER: Mapping[str, Code] = {c.code: c for c in codes.CODES if c is not codes.ANSWERED}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Remembered:
    mac: bytes
    at: datetime
    reply: Reply


class Sandbox:
    """Answers groups of calls; may be used from several threads.

    Args:
        desk: gives the hub as it is now; None: nobody is answered.
        keys: gives keys as they are now; None: nobody is answered.
        sound: whether the audit log takes entries.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        desk: Callable[[], Desk | None],
        keys: Callable[[], Keyring | None],
        sound: Callable[[], bool],
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._keys, self._sound = desk, keys, sound
        self._key = Key(
            "sandbox", secrets.token_bytes(32)
        )  # no consumer's: its tokens are nobody's
        self._rates = TokenBuckets(PER_SECOND, AT_ONCE, MOST_REMEMBERED, steady_s)
        self._known: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self._complaint = Complaint(log, "the sandbox answers nobody")

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        """The replies to calls, in their order; what is answered is in the audit log.

        Args:
            connection: of the hub's database, without an open transaction.
            calls: at least one; their signatures are right.

        Raises:
            OnecardError, psycopg.Error: nobody is answered.
        """
        cases = [Case(call) for call in calls]
        with self._lock:
            desk, keys = self._desk(), self._keys()
            if desk is not None and keys is not None and self._sound():
                self._answer(connection, cases, desk, keys.signer)
        return [case.reply or Reply(codes.UNAVAILABLE) for case in cases]

    def _answer(
        self, connection: Connection, cases: Sequence[Case], desk: Desk, signer: Signer
    ) -> None:
        try:
            people = desk.catalogue.sandbox
        except OnecardError as error:
            self._complaint.say(error)
            return
        self._complaint.over()
        now = desk.settings.now()
        for case in cases:
            self._admit(case, desk, now)
        open_cases = [case for case in cases if case.open]
        for case in open_cases:
            case.identify(desk.suite, self._key)
            case.result = _said(case, people, desk)
        replies = self._repeated(open_cases, now)
        fresh = self._fresh(open_cases, replies)
        with connection.transaction():
            _take(connection, open_cases, replies, now)
            fresh = [case for case in fresh if case.open]
            if fresh:
                replies |= _recorded(connection, fresh, desk, signer)
        for case in open_cases:
            if case.open:
                case.reply = replies[id(case)]
        for case in fresh:
            self._remember(case, now)

    def _admit(self, case: Case, desk: Desk, now: datetime) -> None:
        """Refuse what is wrong with a call, in the order of real calls; then what it wishes for."""
        call = case.call
        if not call.system.sandbox:
            case.refuse(codes.NO_AGREEMENT)
            return
        compiled = _compiled(call.agreement, desk, now)
        found = admission.judged(call, compiled, _OPEN)
        if isinstance(found, Code):
            case.refuse(found)
            return
        case.question, case.compiled = found, compiled
        if self._rates.take(call.sid):
            case.refuse(codes.QUOTA_CALLER)
        elif (wish := WISH.fullmatch(found.operator)) and wish[1] in _BY_NUMBER:
            case.refuse(_BY_NUMBER[wish[1]])

    def _repeated(self, cases: Sequence[Case], now: datetime) -> dict[int, Reply]:
        """Replies to requests that were answered before, by case; or why there is none."""
        replies: dict[int, Reply] = {}
        for case in cases:
            known = self._known.get(_name(case))
            if known is None:
                continue
            if known.mac != case.mac:
                case.refuse(codes.CONFLICT)
            elif now - known.at > REPEATED_WITHIN:
                case.refuse(codes.CHANGED)
            else:
                replies[id(case)] = known.reply
        return replies

    @staticmethod
    def _fresh(cases: Sequence[Case], replies: Mapping[int, Reply]) -> list[Case]:
        """New requests, each id and each signed call once."""
        requests: set[tuple[str, str]] = set()
        calls: set[tuple[str, str]] = set()
        for case in cases:
            if not case.open:
                continue
            if (case.call.sid, case.call.rid) in calls:
                case.refuse(codes.REPLAYED)
            elif id(case) not in replies and _name(case) in requests:
                case.refuse(codes.UNAVAILABLE)  # the same at this moment: repeat it
            else:
                requests.add(_name(case))
                calls.add((case.call.sid, case.call.rid))
        return [case for case in cases if case.open and id(case) not in replies]

    def _remember(self, case: Case, now: datetime) -> None:
        if case.reply is None:
            return
        self._known[_name(case)] = _Remembered(case.mac, now, case.reply)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _name(case: Case) -> tuple[str, str]:
    return case.call.sid, case.asked.request_id


def _compiled(name: str, desk: Desk, now: datetime) -> Compiled | None:
    """The agreement of a name; None: there is none under which one may ask."""
    catalogue = desk.catalogue
    agreement = catalogue.agreements.get(name)
    if agreement is None or not agreement.asked:
        return None
    try:
        contracts = {dataset: catalogue.contract(dataset) for dataset in agreement.datasets}
    except OnecardError:  # a broken file takes its own agreements out
        return None
    return Compiled(agreement, contracts, catalogue.registers.people, now.date())


def _said(case: Case, people: SandboxPeople, desk: Desk) -> Mapping[str, object]:
    """What is said of the person that a case names."""
    from onecard.deliver.treatment import Tokeniser  # noqa: PLC0415 - Polars only where rows flow

    person = people.person(case.asked.id_number)
    if person is None or case.under.agreement.id in person.outside:
        return EMPTY
    return sandbox_rows.said(case, person, Tokeniser(desk.suite, case.token_key))


def _take(
    connection: Connection, cases: Sequence[Case], replies: Mapping[int, Reply], now: datetime
) -> None:
    """Of signed calls each is answered once, by whichever process."""
    open_cases = [case for case in cases if case.open]
    before = question_calls.taken(
        connection,
        [
            Taken(c.call.sid, c.call.rid, now, c.asked.request_id, id(c) in replies)
            for c in open_cases
        ],
    )
    for case in open_cases:
        if (case.call.sid, case.call.rid) in before:
            case.refuse(codes.REPLAYED)


def _recorded(
    connection: Connection, cases: Sequence[Case], desk: Desk, signer: Signer
) -> dict[int, Reply]:
    """Write new cases as one group to the audit log; their replies, by case."""
    now = desk.settings.now()
    receipts = [_receipt(case, now) for case in cases]
    text = answers.statement(receipts, iso(now))
    signed = answers.Signed(text, signer.suite, signer.epoch, signer.sign(text.encode()))
    callers = dict(sorted(Counter(case.call.sid for case in cases).items()))
    body = {"callers": callers, "root": answers.root_of(text), "size": len(cases)}
    audit.append(connection, KIND, "sandbox", desk.settings.actor, body)
    found: dict[int, Reply] = {}
    for place, (case, receipt) in enumerate(zip(cases, receipts, strict=True)):
        way, salt = answers.proof(receipts, place), _salt(case)
        told = answers.envelope(case.result or {}, receipt, salt, way, signed)
        found[id(case)] = Reply(codes.ANSWERED, told, case.found)
    return found


def _salt(case: Case) -> str:
    """Of the commitments: under the process's own key, which dies with it."""
    return case.mac[: answers.SALT_BYTES].hex()


def _receipt(case: Case, now: datetime) -> str:
    """As of a real call, with the profile; approved by nobody, of no state of the registry."""
    agreement = case.under.agreement
    return canonical_json(
        {
            **receipt_head(case, None, now),
            "profile": "sandbox",
            "agreement": agreement.id,
            "fingerprint": agreement.fingerprint,
            "asOf": None,
            "versions": {},
            "names": VERSION,
            **case.commitments(_salt(case)),
        }
    )
