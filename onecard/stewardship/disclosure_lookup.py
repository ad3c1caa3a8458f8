"""Who received one person's data, when, for which purpose and on which basis (PIPL art. 44, 45)."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

from onecard.crypto.keys import token_purpose
from onecard.ports.desk import Desk
from onecard.store import audit, database, disclosures
from schemas.models import codes


def look_up(desk: Desk, id_number: str, reason: str) -> list[dict[str, Any]]:
    """Deliveries that held a person, oldest first; the look-up itself is audited.

    Args:
        desk: the hub.
        id_number: 18 characters; it is kept nowhere, the audit entry names a digest of it.
        reason: why it is looked up; kept in the audit entry, so it names no person.

    Returns:
        One line for each delivery: `at`, `consumer`, `agreement`, `transfer`, `status`,
        `purpose`, `basis`, `fields`, in the words of the receipt.
    """
    found: list[dict[str, Any]] = []
    known = {i.purpose for i in desk.keys.listed()}
    reference = ""
    with database.connect(desk.address, autocommit=True) as connection:
        for consumer in sorted(desk.catalogue.agencies):
            if token_purpose(consumer) not in known:
                continue
            keys = desk.keys.token_epochs(consumer)
            digests = [desk.suite.digests(k.secret, [id_number])[0] for k in keys]
            reference = reference or digests[0][:8].hex()
            ids = [a.id for a in desk.catalogue.agreements.values() if a.consumer == consumer]
            found += [
                _line(desk, consumer, d) for d in disclosures.of_person(connection, ids, digests)
            ]
        with connection.transaction():
            body = {"person": reference, "reason": reason, "deliveries": len(found)}
            audit.append(connection, "access.disclosures", "person", desk.settings.actor, body)
    return sorted(found, key=itemgetter("at"))


def _line(desk: Desk, consumer: str, entry: disclosures.Disclosure) -> dict[str, Any]:
    """What the receipt says of a delivery; a delivery that was cut off has its state only."""
    agreement = desk.catalogue.agreement(entry.agreement)
    said = json.loads(entry.receipt) if entry.receipt else {}
    purpose = str(said.get("purpose", agreement.purpose))
    return {
        "at": entry.at,
        "consumer": desk.catalogue.agencies[consumer].title,
        "agreement": f"{entry.agreement} {said.get('agreementVersion', agreement.version)}",
        "transfer": entry.transfer,
        "status": entry.status,
        "purpose": f"{purpose} {codes.labels('purpose').get(purpose, '')}",
        "basis": said.get("basis", f"{agreement.basis.statute} {agreement.basis.article}"),
        "fields": "、".join(said.get("columns", agreement.names)),
    }
