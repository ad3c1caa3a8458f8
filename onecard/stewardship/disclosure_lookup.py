"""Who received one person's data, or asked for it: when, for which purpose, on which basis.

PIPL articles 44 and 45. Deliveries (`store.disclosures`) and calls about one person
(`store.questions`) are told in the words of their receipts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from onecard.crypto.keys import Key, token_purpose
from onecard.ports.desk import Desk
from onecard.store import agreement_events, audit, database, disclosures, questions
from onecard.store.database import Connection
from schemas.models import codes
from schemas.models.agreement import Agreement


@dataclass(frozen=True, slots=True)
class DisclosureLine:
    """One delivery that held the person, or one call about them.

    Attributes:
        consumer: its agency's title.
        transfer: of a delivery; None: a call.
        status: of the transfer (`failed` means that the receiver may have got it); of a call what
            was said of the person: `answered`, or `none`.
        fields: names of what left, or was compared; of a call that was told nothing, none.
        delayed_until: the person is told from this day on; None: at once.
    """

    at: datetime
    consumer: str
    agreement: str
    transfer: int | None
    status: str
    purpose: str
    basis: str
    fields: tuple[str, ...]
    delayed_until: date | None = None

    def delayed(self, today: date) -> bool:
        """Whether the person is not to be told yet."""
        return self.delayed_until is not None and today < self.delayed_until


@dataclass(frozen=True, slots=True)
class Found:
    """Everything about one person.

    Attributes:
        reference: names the person in audit entries, by a keyed digest.
        entries: oldest first.
    """

    reference: str
    entries: tuple[DisclosureLine, ...]


def look_up(desk: Desk, id_number: str, reason: str) -> list[dict[str, Any]]:
    """Deliveries that held a person and calls about them, oldest first; the look-up is audited.

    Args:
        desk: the hub.
        id_number: 18 characters; it is kept nowhere, the audit entry names a digest of it.
        reason: why it is looked up; kept in the audit entry, so it names no person.

    Returns:
        One line for each: `at`, `consumer`, `agreement`, `transfer`, `status`, `purpose`, `basis`,
        `fields`, in the words of the receipt; `delayed_until`: the person is told from then on.
    """
    named = {token_purpose(agency): agency for agency in desk.catalogue.agencies}
    keys = {named[purpose]: found for purpose, found in desk.keys.epochs(named).items()}
    with database.connect(desk.address, autocommit=True) as connection:
        found = entries(desk, connection, keys, id_number)
        with connection.transaction():
            body = {"person": found.reference, "reason": reason, "deliveries": len(found.entries)}
            audit.append(connection, "access.disclosures", "person", desk.settings.actor, body)
    return [_line(entry) for entry in found.entries]


def entries(
    desk: Desk, connection: Connection, keys: Mapping[str, Sequence[Key]], id_number: str
) -> Found:
    """Everything about a person; the caller has it audited.

    Args:
        desk: the hub.
        connection: of its database.
        keys: token keys of each consumer that has one, the current first.
        id_number: 18 characters.
    """
    found: list[DisclosureLine] = []
    for consumer in sorted(keys):
        digests = [desk.suite.digests(k.secret, [id_number])[0] for k in keys[consumer]]
        own = _agreements(desk, connection, consumer)
        title = desk.catalogue.agencies[consumer].title
        delivered = disclosures.of_person(connection, own, digests)
        found += [_delivered(entry, own[entry.agreement], title) for entry in delivered]
        references = [digest[-disclosures.REFERENCE_BYTES :] for digest in digests]
        asked = questions.of_person(connection, list(own), references)
        found += [_asked(call, title) for call in asked]
    return Found(reference(desk, keys, id_number), tuple(sorted(found, key=attrgetter("at"))))


def reference(desk: Desk, keys: Mapping[str, Sequence[Key]], id_number: str) -> str:
    """How audit entries name a person: by a keyed digest.

    Args:
        desk: the hub.
        keys: token keys of each consumer that has one, the current first.
        id_number: 18 characters.

    Returns:
        16 hexadecimal digits; nothing where no consumer has a key.
    """
    key = next((keys[consumer][0] for consumer in sorted(keys) if keys[consumer]), None)
    return desk.suite.digests(key.secret, [id_number])[0][:8].hex() if key else ""


@dataclass(frozen=True, slots=True)
class _Words:
    """What an agreement says, for deliveries without a receipt."""

    version: str
    purpose: str
    basis: str
    fields: tuple[str, ...]


def _agreements(desk: Desk, connection: Connection, consumer: str) -> dict[str, _Words]:
    """All of a consumer's agreements, those whose file is gone or broken too, by id."""
    former = agreement_events.ever_of(connection, consumer)
    texts = [text for text in desk.catalogue.agreements.values() if text.consumer == consumer]
    return {name: _approved(content) for name, content in former.items()} | {
        text.id: _words(text) for text in texts
    }


def _words(agreement: Agreement) -> _Words:
    basis = f"{agreement.basis.statute} {agreement.basis.article}"
    return _Words(agreement.version, agreement.purpose, basis, agreement.names)


def _approved(content: Mapping[str, Any]) -> _Words:
    """Of the text that was approved, which may be older than what an agreement is today."""
    basis = f"{content['basis']['statute']} {content['basis']['article']}"
    fields = tuple(str(field["name"]) for field in content["fields"])
    return _Words(str(content["version"]), str(content["purpose"]), basis, fields)


def _delivered(entry: disclosures.Disclosure, agreement: _Words, consumer: str) -> DisclosureLine:
    """A delivery; of one that was cut off there is its state only."""
    said = json.loads(entry.receipt) if entry.receipt else {}
    return DisclosureLine(
        entry.at,
        consumer,
        f"{entry.agreement} {said.get('agreementVersion', agreement.version)}",
        entry.transfer,
        entry.status,
        _purpose(str(said.get("purpose", agreement.purpose))),
        said.get("basis", agreement.basis),
        tuple(said.get("columns", agreement.fields)),
    )


def _asked(call: questions.AskedFor, consumer: str) -> DisclosureLine:
    said = json.loads(call.receipt)
    return DisclosureLine(
        call.at,
        consumer,
        f"{call.agreement} {said['agreementVersion']}",
        None,
        str(said["outcome"]),
        _purpose(str(said["purpose"])),
        str(said["basis"]),
        tuple(said["columns"]) if call.found else (),
        call.delayed_until,
    )


def _purpose(code: str) -> str:
    return f"{code} {codes.labels('purpose').get(code, '')}"


def _line(entry: DisclosureLine) -> dict[str, Any]:
    return {
        "at": entry.at,
        "consumer": entry.consumer,
        "agreement": entry.agreement,
        "transfer": entry.transfer,
        "status": entry.status,
        "purpose": entry.purpose,
        "basis": entry.basis,
        "fields": "、".join(entry.fields),
        "delayed_until": entry.delayed_until,
    }
