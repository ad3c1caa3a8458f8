"""What residents are told of their own data: who received it or asked for it, when and why.

The city's own app asks for a resident whom it has authenticated (PIPL articles 44, 45).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from onecard.base.endpoints import is_here
from onecard.base.times import ZONE, iso
from onecard.ports.desk import Desk
from onecard.serve import codes
from onecard.serve.calls import FORMS, ID_NUMBER, Malformed, checked_id, members, say_nothing
from onecard.serve.case import Reply
from onecard.serve.gatekeeper import Proved
from onecard.serve.keyring import Keyring
from onecard.stewardship import disclosure_lookup
from onecard.stewardship.disclosure_lookup import DisclosureLine
from onecard.store import agreement_lives, audit, database, question_calls
from onecard.store.question_calls import Taken

KIND = "resident.disclosures"
"""Of the audit entry."""
REQUEST_ID = "request_id"


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
    proved, system = call.proved, call.proved.system
    try:
        request_id, id_number = _asked(call.body)
        for text in (request_id, proved.rid):
            say_nothing(text, id_number)
    except Malformed:
        return Reply(codes.MALFORMED)
    now = desk.settings.now()
    with database.connect(desk.address, autocommit=True) as connection:
        if agreement_lives.stopped(connection, system.agency) is not None:
            return Reply(codes.STOPPED)
        if not system.residents:
            return Reply(codes.NO_AGREEMENT)
        if not (call.secure or is_here(call.host)):
            return Reply(codes.BLOCKED)  # PR-20, which knows agreements only
        found = disclosure_lookup.entries(desk, connection, keys.consumers, id_number)
        shown = [entry for entry in found.entries if not entry.delayed(now.date())]
        with connection.transaction():
            taken = Taken(proved.sid, proved.rid, now, request_id, repeated=False)
            if question_calls.taken(connection, [taken]):
                return Reply(codes.REPLAYED)
            body: dict[str, object] = {
                "person": found.reference,
                "entries": len(shown),
                "delayed": len(found.entries) - len(shown),
            }
            audit.append(connection, KIND, "person", proved.sid, body)
    return Reply(codes.ANSWERED, {"entries": [_as_read(entry) for entry in shown]}, found=True)


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
