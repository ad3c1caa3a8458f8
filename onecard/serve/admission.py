"""What is looked at before the registry is: in one order, and the first that fails is said.

Signature and time are the door's. Then: stop, agreement in force for this caller, mode, purpose,
form of the case number, an operator who is suspended, quotas.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from onecard.daemon.codes import Code
from onecard.model.agreements import Life
from onecard.model.misuse import CallOperator
from onecard.serve import codes
from onecard.serve.calls import Call, Malformed, Question, question, say_nothing
from onecard.serve.case import Case
from onecard.serve.compiled import Compiled
from onecard.store import agreement_lives, question_counts, questions, suspensions
from onecard.store.agreement_lives import Lives
from onecard.store.database import Connection
from onecard.store.question_counts import HOUR, AskedUsed, Slot
from onecard.store.questions import Known
from onecard.store.together import Sent

QUOTAS: Mapping[str, Code] = {
    "operator": codes.QUOTA_OPERATOR,
    "caller": codes.QUOTA_CALLER,
    "agreement": codes.QUOTA_AGREEMENT,
    "person": codes.QUOTA_PERSON,
}


def ask_lives(connection: Connection, compiled: Iterable[Compiled]) -> Lives:
    """Ask where agreements stand; read it when the answers are there.

    Args:
        connection: of the hub's database.
        compiled: the agreements, each once.
    """
    return agreement_lives.ask(connection, [c.text for c in compiled])


def judged(call: Call, compiled: Compiled | None, life: Life | None) -> Question | Code:
    """The question of a call, or why it is not answered; quotas are looked at later.

    Args:
        call: its signature is right.
        compiled: the agreement that its path names; None: there is none.
        life: where that stands.
    """
    if compiled is None or life is None or not is_own(call, compiled):
        return codes.NO_AGREEMENT
    return closed(call, compiled, life) or read(call, compiled)


def is_own(call: Call, compiled: Compiled) -> bool:
    """Whether an agreement is that of the caller's agency.

    Args:
        call: its signature is right.
        compiled: the agreement that its path names.
    """
    return compiled.agreement.consumer == call.system.agency


def read(call: Call, compiled: Compiled) -> Question | Code:
    """The question that stands in a call's body, or what is wrong with it.

    Args:
        call: its signature is right.
        compiled: the agreement that its path names, which is its caller's.
    """
    try:
        found = question(call.body, tuple(compiled.given), compiled.values)
        say_nothing(call.rid, found.id_number, *found.given.values(), *found.values.values())
    except Malformed:
        return codes.MALFORMED
    if found.purpose != compiled.agreement.purpose:
        return codes.PURPOSE
    return found if re.fullmatch(compiled.asking.case, found.case) else codes.CASE


def closed(call: Call, compiled: Compiled, life: Life) -> Code | None:
    """Why a caller's agency may not ask in this way now; None: it may.

    Args:
        call: its signature is right.
        compiled: the agreement that its path names, which is its caller's.
        life: where that stands.
    """
    if life.stopped is not None:
        return codes.STOPPED
    if life.state != "in_force" or call.system.residents:
        return codes.NO_AGREEMENT
    return None if call.verb == compiled.agreement.mode else codes.MODE


def _operator(case: Case) -> CallOperator:
    return CallOperator(case.call.sid, case.asked.operator)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was asked of the record of calls (`ask_counts`); read it when the answers are there."""

    out: Sent[CallOperator]
    known: Sent[Known]
    used: AskedUsed


def ask_counts(connection: Connection, cases: Sequence[Case], now: datetime) -> Counted:
    """Ask who is suspended, for the record of the same requests, and how far quotas are used up.

    Args:
        connection: of the hub's database.
        cases: that have a question.
        now: the hub's time.
    """
    out = suspensions.ask_open(connection, sorted({_operator(case) for case in cases}), now)
    wanted = list({(c.call.sid, c.asked.request_id) for c in cases})
    known = questions.ask_known(connection, wanted)
    used = question_counts.ask_used(connection, (s for c in cases for s in c.slots))
    return Counted(out, known, used)


def renew(cases: Sequence[Case], lives: Mapping[str, Life]) -> None:
    """Refuse those whose agreement was stopped or suspended since they were admitted.

    Args:
        cases: that have a question.
        lives: of their agreements, read while the head of the audit log was held, so that no such
            act comes after this look.
    """
    for case in cases:
        case.life = lives[case.under.agreement.id]
        if refusal := closed(case.call, case.under, case.life):
            case.refuse(refusal)


def ration(cases: Sequence[Case], counted: Counted) -> None:
    """Refuse operators who are suspended, and new requests that are beyond a quota.

    Each case gets the record of the same request.

    Args:
        cases: that have a question, in the order in which they came.
        counted: what was asked about them.
    """
    out = frozenset(counted.out.all())
    found = {(k.caller, k.request_id): k for k in counted.known.all()}
    for case in cases:
        case.known = found.get((case.call.sid, case.asked.request_id))
        if case.open and _operator(case) in out:
            case.refuse(codes.SUSPENDED)
    used: Counter[Slot] = Counter(counted.used.all())
    for case in cases:
        if not case.open or case.known is not None:
            continue
        beyond = [slot.scope for slot, limit in case.slots.items() if used[slot] >= limit]
        if beyond:
            case.refuse(next(code for scope, code in QUOTAS.items() if scope in beyond))
            continue
        case.calls_this_hour = next(
            used[slot] for slot in case.slots if slot.scope == "operator" and slot.span == HOUR
        )
        used.update(case.slots.keys())
