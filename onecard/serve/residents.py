"""What residents are told of their own data: who received it or asked for it, when and why.

The city's own app asks for a resident whom it has authenticated (PIPL articles 44, 45).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from onecard.base.endpoints import is_here
from onecard.base.times import ZONE, iso
from onecard.daemon.codes import Code
from onecard.ports.desk import Desk
from onecard.serve import codes, quotas
from onecard.serve.calls import FORMS, ID_NUMBER, Malformed, checked_id, members, say_nothing
from onecard.serve.case import Reply
from onecard.serve.gatekeeper import Proved
from onecard.serve.keyring import Keyring
from onecard.stewardship import disclosure_lookup
from onecard.stewardship.disclosure_lookup import DisclosureLine
from onecard.store import agreement_lives, audit, database, question_calls, question_counts
from onecard.store.database import Connection
from onecard.store.question_calls import Taken
from onecard.store.question_counts import Slot

KIND = "resident.disclosures"
"""Of the audit entry."""
REQUEST_ID = "request_id"
CALLER, PERSON = "resident.caller", "resident.person"
"""Scopes of quotas: looks of one system, and at one person's data (`schemas/misuse.yaml`)."""
QUOTAS: Mapping[str, Code] = {CALLER: codes.QUOTA_CALLER, PERSON: codes.QUOTA_PERSON}


@dataclass(frozen=True, slots=True)
class ResidentCall:
    """A call of the city's app whose signature is right.

    Attributes:
        host: address of the app, or of the nearest proxy that is believed.
        secure: it came through TLS.
    """

    proved: Proved
    body: bytes = field(repr=False)
    host: str
    secure: bool


def tell(desk: Desk, keys: Keyring, call: ResidentCall) -> Reply:
    """Everything that the resident is to know today; on record before it is told.

    Args:
        desk: the hub.
        keys: of consumers, as they are now.
        call: of the city's app.

    Raises:
        OnecardError: it cannot be looked up, or not be recorded.
    """
    proved = call.proved
    try:
        request_id, id_number = _asked(call.body)
        for text in (request_id, proved.rid):
            say_nothing(text, id_number)
    except Malformed:
        return Reply(codes.MALFORMED)
    now = desk.settings.now()
    reference = disclosure_lookup.reference(desk, keys.consumers, id_number)
    names, limits = {CALLER: proved.sid, PERSON: reference}, desk.catalogue.misuse.disclosures
    slots = quotas.slots(names, ((CALLER, limits.caller), (PERSON, limits.person)), now)
    with database.connect(desk.address, autocommit=True) as connection:
        if refusal := _closed(connection, call) or _rationed(connection, slots):
            return Reply(refusal)
        found = disclosure_lookup.entries(desk, connection, keys.consumers, id_number)
        shown = [entry for entry in found.entries if not entry.delayed(now.date())]
        taken = Taken(proved.sid, proved.rid, now, request_id, repeated=False)
        body: dict[str, object] = {
            "person": reference,
            "entries": len(shown),
            "delayed": len(found.entries) - len(shown),
        }
        if refusal := _record(connection, taken, slots, body):
            return Reply(refusal)
    return Reply(codes.ANSWERED, {"entries": [_as_read(entry) for entry in shown]}, found=True)


def _closed(connection: Connection, call: ResidentCall) -> Code | None:
    """Why this system is told nothing."""
    system = call.proved.system
    if agreement_lives.stopped(connection, system.agency) is not None:
        return codes.STOPPED
    if not system.residents:
        return codes.NO_AGREEMENT
    # PR-20, which knows agreements only
    return None if call.secure or is_here(call.host) else codes.BLOCKED


def _record(
    connection: Connection, taken: Taken, slots: Mapping[Slot, int], body: Mapping[str, object]
) -> Code | None:
    """Put a look on record, or say why it may not be answered."""
    with connection.transaction():
        audit.head(connection, lock=True)  # no other look is counted meanwhile
        if refusal := _rationed(connection, slots):
            return refusal
        if question_calls.taken(connection, [taken]):
            return codes.REPLAYED
        question_counts.count(connection, list(slots))
        audit.append(connection, KIND, "person", taken.caller, body)
    return None


def _rationed(connection: Connection, slots: Mapping[Slot, int]) -> Code | None:
    """Why no more is told within this hour or day."""
    beyond = quotas.beyond(connection, slots)
    return next((code for scope, code in QUOTAS.items() if scope in beyond), None)


def _asked(body: bytes) -> tuple[str, str]:
    """Request id and ID number of a body."""
    found = members(body)
    if set(found) != {REQUEST_ID, ID_NUMBER} or not all(isinstance(v, str) for v in found.values()):
        raise Malformed
    if not re.fullmatch(FORMS[REQUEST_ID], found[REQUEST_ID]):
        raise Malformed
    return found[REQUEST_ID], checked_id(found[ID_NUMBER])


def _as_read(entry: DisclosureLine) -> dict[str, object]:
    """An entry as the resident reads it."""
    return {
        "at": iso(entry.at.astimezone(ZONE)),
        "agency": entry.consumer,
        "agreement": entry.agreement,
        "kind": "call" if entry.transfer is None else "delivery",
        "status": entry.status,
        "purpose": entry.purpose,
        "basis": entry.basis,
        "fields": list(entry.fields),
    }
