"""The audit log for engineers: looked up, entry by entry, each verified on request.

Who looks is on record too. A look at the log is no look at a person (`audit_queries.accesses`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from fastapi.responses import RedirectResponse, Response

from onecard.base.times import ZONE, shown
from onecard.crypto.audit_format import Entry
from onecard.portal import security
from onecard.portal.answers import hub, note, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.pages import address, indented, path
from onecard.portal.proofs import proving
from onecard.portal.typed import LONGEST, whole_day, whole_number
from onecard.portal.view import Routes
from onecard.store import audit, audit_proof, audit_search
from onecard.store.audit_proof import Proof
from onecard.store.audit_search import Sought

PAGE = 50
BEGINNING = 160
"""Characters of a body that the list shows."""
HERE = ("engineer", "audit")
LOOK = "access.audit"


@dataclass(frozen=True, slots=True)
class Boxes:
    """What stands in the boxes of the page, as it was typed."""

    kind: str
    subject: str
    actor: str
    since: str
    until: str
    entry: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Boxes:
        """Raises HTTPException 422 for personal data, hidden characters, or too much."""
        return cls(*(security.sought(query, name, LONGEST) for name in cls.__slots__))

    @property
    def filled(self) -> dict[str, str]:
        """Those that narrow anything, by name."""
        found = {name: str(getattr(self, name)) for name in self.__slots__}
        return {name: text for name, text in found.items() if text}


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry as the list shows it."""

    entry: Entry
    at: str
    body: str


def audit_log(visit: Visit) -> Response:
    """Entries that are looked for, the newest first; a number leads to its entry."""
    query = visit.request.query_params
    boxes = Boxes.of(query)
    if boxes.entry:
        number = whole_number(boxes.entry)
        return RedirectResponse(path(visit.request, *HERE, str(number)), 303)
    before = whole_number(security.sought(query, "before", LONGEST))
    until = _day(boxes.until)
    sought = Sought(
        boxes.kind,
        boxes.subject,
        boxes.actor,
        _day(boxes.since),
        until + timedelta(days=1) if until else None,
        before,
    )
    with hub(visit) as connection:
        found = audit_search.search(connection, sought, PAGE)
    note(visit, LOOK, "audit", {**boxes.filled, "before": before, "shown": len(found.entries)})
    return page(
        visit,
        "audit",
        boxes=boxes,
        found=found,
        lines=[EntryLine(e, moment(e.at), _beginning(e.body)) for e in found.entries],
        more=address(visit.request, *HERE, **boxes.filled, before=str(found.more)),
        longest=LONGEST,
    )


def audit_entry(visit: Visit) -> Response:
    """One entry as it is stored, and the checkpoint that vouches for it."""
    found = there(visit.entry)
    note(visit, LOOK, "audit", {"entry": found.seq})
    return _entry_page(visit, found, None)


def verify_entry(visit: Visit) -> Response:
    """Whether the entry is among what was signed."""
    found = there(visit.entry)
    with proving(visit) as known, hub(visit) as connection:
        proof = audit_proof.prove(connection, found, visit.site.desk().signer.holds, known)
    note(visit, LOOK, "audit", {"entry": found.seq, "verified": proof.outcome})
    return _entry_page(visit, found, proof)


def _entry_page(visit: Visit, found: Entry, proof: Proof | None) -> Response:
    with hub(visit) as connection:
        vouching = audit.checkpoint_of(connection, found.seq)
        next_there = audit.entry(connection, found.seq + 1) is not None
    return page(
        visit,
        "audit_entry",
        entry=found,
        at=moment(found.at),
        body=indented(found.body),
        computed=found.computed_leaf(),
        checkpoint=vouching,
        signed_at=moment(vouching.signed_at) if vouching else "",
        next_there=next_there,
        proof=proof,
    )


def moment(text: str) -> str:
    """A time of the log in Beijing time; one that is none as it stands."""
    try:
        return shown(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def _beginning(body: str) -> str:
    return body if len(body) <= BEGINNING else body[: BEGINNING - 1] + "…"


def _day(text: str) -> datetime | None:
    """The beginning of a day in Beijing time."""
    found = whole_day(text)
    return datetime.combine(found, time(), ZONE) if found else None


ROUTES: Routes = (
    ("GET", "/engineer/audit", audit_log),
    ("GET", "/engineer/audit/{entry}", audit_entry),
    ("POST", "/engineer/audit/{entry}/verify", verify_entry),
)
