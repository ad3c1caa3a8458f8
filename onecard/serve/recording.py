"""On record before it is answered: calls of a group, in one transaction with one audit entry.

Whoever records holds the head of the audit log, so what was looked at before is looked at once more
under it: that nothing is said after a stop or to an operator who is suspended, that no request has
two records and no signed call two answers, and that no quota is passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from onecard.base import failpoints
from onecard.base.person_names import VERSION
from onecard.base.times import ZONE, iso
from onecard.crypto import answers
from onecard.crypto.audit_format import canonical_json
from onecard.crypto.suites import Suite
from onecard.model.agreements import AgreementEvent
from onecard.serve import admission, codes
from onecard.serve.case import Case, Reply
from onecard.serve.keyring import Keyring
from onecard.store import (
    audit,
    months,
    question_calls,
    question_counts,
    questions,
    watched,
)
from onecard.store.database import Connection
from onecard.store.persons import DatasetState
from onecard.store.question_audit import KIND, record_digest
from onecard.store.question_calls import Calls, Taken
from onecard.store.questions import Asked, Group, Known
from onecard.store.receipts import terms
from onecard.store.together import begin, commit, together, undone_unless_committed
from onecard.store.watched import WatchedCall

RECEIPT_FORMAT = 1
REPEATED_WITHIN = timedelta(days=1)
"""Later, that the same is still so would be news of the person, which nobody has asked for on
record."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a transaction holds that may record calls.

    Attributes:
        end: of the audit log.
        number: for a new group.
        before: those of the signed calls that were answered before.
    """

    end: audit.EndOfLog
    number: int
    before: Calls


@dataclass(frozen=True)
class Recorder:
    """Writes what a group of cases comes to, and makes their answers.

    Attributes:
        suite: of keyed digests.
        keys: of consumers, and the signer.
        actor: who serves, for the audit log.
        now: the hub's time.
        states: of the datasets that were read.
    """

    suite: Suite
    keys: Keyring
    actor: str
    now: datetime
    states: Mapping[str, DatasetState]

    def record(self, connection: Connection, cases: Sequence[Case]) -> None:
        """Write the open cases that have a result; each gets its reply when that is committed.

        Args:
            connection: of the hub's database, without an open transaction.
            cases: of the group, in the order in which they came.
        """
        with undone_unless_committed(connection):
            held = self._renew(connection, cases)
            known = [c for c in cases if c.open and c.known]
            repeated = self._repeated(connection, known, held.before)
            fresh = _once([c for c in cases if c.open and c.known is None], held.before)
            replies = [*repeated, *self._write(connection, held, [c for c, _ in repeated], fresh)]
        failpoints.reach("questions.after_commit")
        for case, reply in replies:
            case.reply = reply

    def _renew(self, connection: Connection, cases: Sequence[Case]) -> _Held:
        """Begin a transaction, and judge the cases once more while it holds the audit log's end."""
        compiled = list({c.under.agreement.id: c.under for c in cases}.values())
        with together(connection):
            begin(connection)
            end = audit.ask_end(connection)  # waits for others who record
            number = questions.ask_number(connection)
            lives = admission.ask_lives(connection, compiled)
            counted = admission.ask_counts(connection, cases, self.now)
            taken = question_calls.ask_taken(connection, [(c.call.sid, c.call.rid) for c in cases])
        held = _Held(end.taken(), number.taken(), taken.all())
        admission.renew(cases, lives.on(compiled[0].today))
        admission.ration(cases, counted)
        return held

    def _write(
        self,
        connection: Connection,
        held: _Held,
        repeated: Sequence[Case],
        fresh: Sequence[Case],
    ) -> list[tuple[Case, Reply]]:
        """Note the calls that are answered, write new ones as one group with its entry; commit."""
        receipts = [self._receipt(case) for case in fresh]
        taken = [self._taken(case) for case in [*repeated, *fresh]]
        group = self._group(receipts) if receipts else None
        failpoints.reach("questions.before_record")
        with together(connection):
            question_calls.take(connection, taken)
            if group is not None:
                self._record(connection, held, group, fresh, receipts)
            failpoints.reach("questions.before_commit")
            commit(connection)
        if group is None:
            return []
        signed = answers.Signed(group.statement, group.suite, group.key_epoch, group.signature)
        ways = answers.proofs(receipts)
        return [
            (case, self._reply(case, receipt, way, signed))
            for case, receipt, way in zip(fresh, receipts, ways, strict=True)
        ]

    def _group(self, receipts: Sequence[str]) -> Group:
        """The group of some receipts, signed."""
        signer, month = self.keys.signer, months.first_of(self.now.date())
        text = answers.statement(receipts, iso(self.now))
        signature = signer.sign(text.encode())
        return Group(month, len(receipts), text, signer.suite, signer.epoch, signature)

    def _record(
        self,
        connection: Connection,
        held: _Held,
        group: Group,
        fresh: Sequence[Case],
        receipts: Sequence[str],
    ) -> None:
        """Write a group: what counts for quotas and rules, its calls, its entry."""
        question_counts.count(connection, (slot for case in fresh for slot in case.slots))
        watched.note(connection, [self._watched(case) for case in fresh])
        questions.add_group(connection, held.number, group)
        asked = [self._asked(c, receipt) for c, receipt in zip(fresh, receipts, strict=True)]
        questions.record(connection, held.number, group.month, asked)
        root = answers.root_of(group.statement)
        body = {"group": held.number, "root": root, "size": len(fresh)}
        entry = audit.Details(KIND, "questions", self.actor, canonical_json(body))
        audit.append_at(connection, held.end, entry)

    def _taken(self, case: Case) -> Taken:
        """The signed call of a case that is answered."""
        call, repeated = case.call, case.known is not None
        return Taken(call.sid, call.rid, self.now, case.asked.request_id, repeated)

    def _repeated(
        self, connection: Connection, cases: Sequence[Case], before: Calls
    ) -> list[tuple[Case, Reply]]:
        """Answers to requests that are on record already: the same, or none."""
        replies = []
        for case in cases:
            assert case.known is not None  # noqa: S101 - the caller has chosen them so
            key = self.keys.of_epoch(case.under.agreement.consumer, case.known.key_epoch)
            if key is None:
                case.refuse(codes.CHANGED)
            elif not case.is_of(case.known, self.suite, key):
                case.refuse(codes.CONFLICT)
            elif self.now - case.known.at > REPEATED_WITHIN:
                case.refuse(codes.CHANGED)
            elif reply := self._again(connection, case, case.known, case.salt(self.suite, key)):
                replies.append((case, reply))
            else:
                case.refuse(codes.CHANGED)
        _refuse_taken([case for case, _ in replies], before)
        return [(case, reply) for case, reply in replies if case.open]

    def _again(self, connection: Connection, case: Case, known: Known, salt: str) -> Reply | None:
        """The answer of the record, if the same decision leads to the same result today."""
        decided = self._decision(case) | case.commitments(salt)
        if any(answers.member(known.receipt, name) != said for name, said in decided.items()):
            return None
        groups = questions.groups(connection, known.group_id - 1, known.group_id)
        if known.group_id not in groups:
            return None
        group = groups[known.group_id]
        lines = questions.lines(connection, groups)[known.group_id]
        receipts = [line.receipt for line in lines]
        signed = answers.Signed(group.statement, group.suite, group.key_epoch, group.signature)
        way = answers.proof(receipts, known.place)
        body = answers.envelope(case.result or {}, known.receipt, salt, way, signed)
        return Reply(codes.ANSWERED, body, case.found)

    def _reply(
        self, case: Case, receipt: str, way: Mapping[str, object], signed: answers.Signed
    ) -> Reply:
        body = answers.envelope(case.result or {}, receipt, case.own_salt, way, signed)
        return Reply(codes.ANSWERED, body, case.found)

    def _decision(self, case: Case) -> dict[str, object]:
        """What a repetition must agree in, beside request and result."""
        return {
            "agreement": case.under.agreement.id,
            "fingerprint": case.under.text.fingerprint,
            "names": VERSION,
        }

    def _receipt(self, case: Case) -> str:
        """The statement about one call, which holds no value of a row."""
        read = {d: self.states[d].version for d in case.under.datasets}
        return canonical_json(
            {
                **receipt_head(case, case.life.approval if case.life else None, self.now),
                "asOf": as_of(case, self.states),
                "versions": read,
                **self._decision(case),
                **case.commitments(case.own_salt),
            }
        )

    def _asked(self, case: Case, receipt: str) -> Asked:
        asked = case.asked
        return Asked(
            self.now,
            case.under.agreement.id,
            case.call.sid,
            asked.operator,
            asked.case,
            asked.request_id,
            case.mac,
            case.token_key.epoch,
            case.person,
            case.found,
            receipt,
        )

    def _watched(self, case: Case) -> WatchedCall:
        """The call as rules against misuse count it."""
        return WatchedCall(
            self.now,
            case.under.agreement.id,
            case.call.sid,
            case.asked.operator,
            case.person,
            case.series,
            case.found,
        )


def receipt_head(case: Case, approval: AgreementEvent | None, now: datetime) -> dict[str, object]:
    """What the receipt of a call says of agreement, caller and record, whoever was asked for.

    Args:
        case: judged.
        approval: of its agreement; None: nobody has approved it.
        now: the hub's time.
    """
    agreement, asked = case.under.agreement, case.asked
    return {
        "format": RECEIPT_FORMAT,
        "kind": agreement.mode,
        **terms(agreement, approval),
        "columns": list(agreement.names),
        "caller": case.call.sid,
        "operator": asked.operator,
        "case": asked.case,
        "requestId": asked.request_id,
        "outcome": (case.result or {})["outcome"],
        "at": iso(now),
        "keyEpoch": case.token_key.epoch,
        "record": record_digest(case.person, case.mac),
    }


def _once(cases: Sequence[Case], before: Calls) -> list[Case]:
    """New cases whose signed call was not answered before, each request id once."""
    first: dict[tuple[str, str], Case] = {}
    for case in cases:
        name = case.call.sid, case.asked.request_id
        if first.setdefault(name, case) is not case:
            case.refuse(codes.UNAVAILABLE)  # the same at this moment: repeat it
    _refuse_taken(first.values(), before)
    return [case for case in first.values() if case.open]


def _refuse_taken(cases: Iterable[Case], before: Calls) -> None:
    """Refuse those whose signed call was answered before."""
    for case in cases:
        if (case.call.sid, case.call.rid) in before:
            case.refuse(codes.REPLAYED)


def as_of(case: Case, states: Mapping[str, DatasetState]) -> str | None:
    """When the agreement's dataset was last published, ISO 8601 at +08:00.

    Args:
        case: says which dataset.
        states: of the datasets that were read.
    """
    published = states[case.under.agreement.dataset].published_at
    return iso(published.astimezone(ZONE)) if published else None
