"""One question under each agreement of mode query and verify, signed as its caller would sign it.

What is answered is proved by signature and receipt, and kept nowhere: of an answer only its kind is
told, never a value, and of the resident who is asked for nothing at all.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.service import ServiceProcess
from onecard.app.wiring import Hub
from onecard.base.platform_signature import Credential
from onecard.crypto import answers, keys
from onecard.errors import FatalError
from onecard.serve import codes
from onecard.serve.calls import ID_NUMBER
from onecard.serve.client import Asking, Told, send
from onecard.store import database
from schemas.models.agreement import Agreement

READY, LOOKED_UP = "the service is ready", "the resident's own look-up"
OPERATOR = "N0001"
READ = (
    "hrss__card_master",
    "hrss__pension_status",
    "hrss__employment_status",
    "health__death_notice",
)
"""Tables of the registry that are looked at."""
_THERE = (
    "SELECT count(*) FROM unnest(%s::text[]) AS name"
    " WHERE to_regclass('registry.' || name) IS NOT NULL"
)
_PERSON = """
SELECT c.person_id18, c.person_name, c.bank_account, c.fin_status FROM registry.hrss__card_master c
WHERE c._deleted_at IS NULL AND c.card_status = '1' AND c.fin_status = '2'
  AND c.bank_account IS NOT NULL AND substr(c.person_id18, 7, 4) BETWEEN '1950' AND '2000'
  AND NOT EXISTS (SELECT FROM registry.hrss__card_master o
    WHERE o.person_id18 = c.person_id18 AND o.card_no <> c.card_no)
  AND NOT EXISTS (
    SELECT FROM registry.health__death_notice d WHERE d.person_id18 = c.person_id18)
ORDER BY EXISTS (SELECT FROM registry.hrss__pension_status p
    WHERE p.person_id18 = c.person_id18 AND p._deleted_at IS NULL)::int
  + EXISTS (SELECT FROM registry.hrss__employment_status e
    WHERE e.person_id18 = c.person_id18 AND e._deleted_at IS NULL)::int DESC, c.card_no
LIMIT 1
"""
"""A grown-up with one card in normal use, its account active, whom the other datasets know too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question.

    Attributes:
        consumer: short name of who asks.
        code: of docs/asking.md.
        outcome: `answered` or `none`; of verify, how often each kind of match; empty: refused.
        seconds: from the call to its answer.
        again_s: the same request repeated, which counts once.
        proved: signature, receipt and repetition are right.
    """

    agreement: str
    consumer: str
    mode: str
    code: str
    outcome: str
    seconds: float
    again_s: float
    proved: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """What came of all of them.

    Attributes:
        answers: one for each agreement.
        refused: code of a question for another purpose than the agreement's.
        entries: of the resident's own look-up afterwards: deliveries and calls.
        calls: of these, the questions.
        seconds: all of it.
    """

    answers: tuple[Answer, ...]
    refused: str
    entries: int
    calls: int
    seconds: float

    @property
    def well(self) -> bool:
        """Whether each was answered and proved, another purpose refused, and the resident told."""
        right = all(a.code == codes.ANSWERED.code and a.proved for a in self.answers)
        told = self.calls >= sum(a.outcome != "none" for a in self.answers) > 0
        return bool(self.answers) and right and self.refused == codes.PURPOSE.code and told


@dataclass(frozen=True, slots=True)
class _Resident:
    """Whom the questions are about."""

    id_number: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)


def asked(hub: Hub) -> list[Agreement]:
    """The agreements under which single persons are asked for, by id."""
    return [a for _, a in sorted(hub.catalogue.agreements.items()) if a.asked]


def steps(hub: Hub) -> int:
    """How many steps `ask_all` tells of."""
    return len((READY, LOOKED_UP)) + len(asked(hub))


def ask_all(hub: Hub, service: ServiceProcess, *, ended: Callable[[str], None]) -> Questions:
    """Ask once under each agreement, repeat it, ask for another purpose, look up as the resident.

    Args:
        hub: whose keys and registry are used.
        service: that is asked; it may still be starting.
        ended: is told of each step.

    Raises:
        FatalError: the service does not start, or there is nobody to ask for.
    """
    service.wait_until_ready()
    started = time.monotonic()
    ended(READY)
    resident, found = _somebody(hub), []
    for agreement in asked(hub):
        found.append(_answer(hub, service, agreement, resident))
        ended(agreement.id)
    refused = _refused(hub, service, asked(hub)[0], resident)
    entries = _look_up(hub, service, resident)
    ended(LOOKED_UP)
    calls = sum(entry["kind"] == "call" for entry in entries)
    return Questions(tuple(found), refused, len(entries), calls, time.monotonic() - started)


def _somebody(hub: Hub) -> _Resident:
    with database.connect(hub.address, autocommit=True) as connection:
        there = connection.execute(_THERE, (list(READ),)).fetchone()
        found = connection.execute(_PERSON).fetchone() if there == (len(READ),) else None
    if found is None:
        msg = "nobody in this city has one card in normal use with an active account"
        raise FatalError(msg)
    number, name, account, status = map(str, found)
    values = {"person_name": name, "bank_account": account, "fin_status": status}
    return _Resident(number, values)


def _answer(hub: Hub, service: ServiceProcess, agreement: Agreement, who: _Resident) -> Answer:
    body = _body(agreement, who, agreement.purpose)
    first, seconds = _sent(hub, service, agreement, body)
    again, again_s = _sent(hub, service, agreement, body)
    code = str(first.content.get("code"))
    answered = code == codes.ANSWERED.code
    proved = answered and not answers.problem(first.content, body, hub.signer.verify)
    return Answer(
        agreement.id,
        hub.catalogue.agencies[agreement.consumer].short,
        agreement.mode,
        code,
        _outcome(first.content["result"], agreement.mode) if answered else "",
        seconds,
        again_s,
        proved and again.content == first.content,
    )


def _outcome(result: Mapping[str, Any], mode: str) -> str:
    """The kind of an answer; of verify the kinds of its matches, which are no values."""
    if mode == "verify" and result["fields"]:
        return ", ".join(str(match) for match in result["fields"].values())
    return str(result["outcome"])


def _refused(hub: Hub, service: ServiceProcess, agreement: Agreement, who: _Resident) -> str:
    """What is said to somebody who asks for another purpose than the agreement's."""
    other = "A7-01" if agreement.purpose != "A7-01" else "A7-02"
    told, _ = _sent(hub, service, agreement, _body(agreement, who, other))
    return str(told.content.get("code"))


def _body(agreement: Agreement, who: _Resident, purpose: str) -> bytes:
    asking = agreement.asking
    assert asking is not None  # noqa: S101 - the model has one for every agreement that is asked
    by = [path.rpartition(".")[2] for path in asking.by]
    person = {ID_NUMBER: who.id_number, **{name: who.values[name] for name in by}}
    verified = agreement.names if agreement.mode == "verify" else ()
    values = {name: who.values[name] for name in verified}
    return Asking(OPERATOR, purpose, asking.example).body(person, values)


def _sent(
    hub: Hub, service: ServiceProcess, agreement: Agreement, body: bytes
) -> tuple[Told, float]:
    """The answer to a call of the consumer's system, and how long it took."""
    systems = hub.catalogue.callers.items()
    mine = (s for s, x in systems if x.agency == agreement.consumer and not x.residents)
    credential = _credential(hub, next(mine))
    started = time.perf_counter()
    told = send(service.door, f"/v1/{agreement.id}/{agreement.mode}", credential, body)
    return told, time.perf_counter() - started


def _look_up(hub: Hub, service: ServiceProcess, who: _Resident) -> list[Mapping[str, Any]]:
    """What the resident is told by the city's app."""
    app = next(sid for sid, system in hub.catalogue.callers.items() if system.residents)
    body = {"request_id": uuid.uuid4().hex, ID_NUMBER: who.id_number}
    told = send(service.door, "/v1/disclosures", _credential(hub, app), json.dumps(body).encode())
    return list(told.content.get("entries", ()))


def _credential(hub: Hub, sid: str) -> Credential:
    """What a system signs with; the rehearsal has made its key."""
    purpose = keys.caller_purpose(sid)
    (key, *_) = hub.keys.epochs([purpose])[purpose]
    return Credential(sid, keys.app_key(key), hub.catalogue.callers[sid])
