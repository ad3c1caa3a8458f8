"""What the routes of tickets answer. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.base import workdays
from onecard.errors import ConfigError
from onecard.model.attachments import KEPT, KEPT_UNCLOSED, MOST_BYTES, MOST_OF_TICKET
from onecard.model.tickets import LONGEST_TEXT, OUTCOMES, Acting, Answer, Ticket
from onecard.portal import attachment_views, security
from onecard.portal.answers import back, field_name, hub, note, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.pages import address
from onecard.portal.telling import then_tell
from onecard.portal.typed import id_of
from onecard.portal.uploads import FILE
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import attachments, ticket_desk, tickets
from onecard.store.database import Connection
from onecard.store.record_refs import LONGEST_KEY
from onecard.store.ticket_desk import Role
from schemas.models.contract import Contract

LONGEST_OWNER = 50
PAGE = 50
"""Tickets of a part on one page."""
ROLES: Mapping[str, Role] = {"to_answer": "agency", "raised": "opened_for"}
"""Parts of the list."""
KEY = "key-"
"""Fields of a form that hold the key of a record, by the names of its parts."""


def ticket_list(visit: Visit) -> Response:
    """Tickets to answer and tickets that the agency raised; with a form for a new one."""
    with hub(visit) as connection:
        parts = {name: _page(connection, visit, name, role) for name, role in ROLES.items()}
    received = challengeable(visit)
    return page(
        visit,
        "tickets",
        words={t.id: about(visit, t) for part in parts.values() for t in part.tickets},
        parts=parts,
        received=received,
        about=received.get(visit.request.query_params.get("about", "")),
        longest=LONGEST_TEXT,
        longest_key=LONGEST_KEY,
        **_files(),
    )


def _files() -> dict[str, object]:
    """What a form says of the file that it may carry."""
    mebibyte = 1024**2
    return {
        "file": FILE,
        "accepted": attachment_views.ACCEPTED,
        "most": MOST_BYTES // mebibyte,
        "most_of_ticket": MOST_OF_TICKET // mebibyte,
        "kept": KEPT.days,
        "unclosed": KEPT_UNCLOSED.days,
    }


@dataclass(frozen=True, slots=True)
class TicketPage:
    """One page of tickets; `more` leads to those behind it, empty on the last."""

    tickets: Sequence[Ticket]
    more: str


def _page(connection: Connection, visit: Visit, name: str, role: Role) -> TicketPage:
    """The page of a part that the address asks for: `<name>_after`."""
    number = id_of(visit.request.query_params.get(f"{name}_after", "")) or 0
    found = ticket_desk.page(connection, visit.agency, role, number, PAGE + 1)
    shown = found[:PAGE]
    more = ""
    if len(found) > PAGE:
        query = {f"{name}_after": str(shown[-1].id)}
        more = address(visit.request, visit.agency, "tickets", **query)
    return TicketPage(shown, more)


@dataclass(frozen=True, slots=True)
class About:
    """Field and rule that a ticket is about, in the page's language; empty: of none."""

    field: str
    rule: str


def about(visit: Visit, found: Ticket) -> About:
    """Field and rule of a ticket in words.

    Args:
        visit: names language and catalogue.
        found: the ticket.
    """
    contract = visit.catalogue.contracts.get(found.dataset)
    field = found.field if contract is None else field_name(visit, contract, found.field)
    own = {r.name: r.title for r in contract.rules} if contract else {}
    rule = visit.site.rule_title(found.rule, visit.language) if found.rule else ""
    return About(field, own.get(found.rule, rule) if visit.language == "zh" else rule)


def challengeable(visit: Visit) -> Mapping[str, Contract]:
    """Datasets of which the agency gets rows of others, by id: of those it may doubt a record."""
    known = visit.catalogue
    return {
        a.dataset: known.contracts[a.dataset]
        for a in known.agreements_of(visit.agency)
        if a.dataset in known.contracts and known.contracts[a.dataset].agency != visit.agency
    }


def open_ticket(visit: Visit) -> Response:
    """A record that the agency has received is challenged."""
    contract = challengeable(visit).get(visit.form.get("dataset", ""))
    if contract is None:
        raise HTTPException(422, "dataset")
    field = visit.form.get("field", "")
    if field and field not in contract.names:
        raise HTTPException(422, "field")
    wanted = Challenge(
        contract.id,
        visit.agency,
        security.written(visit.form, "statement", LONGEST_TEXT),
        tuple(visit.form.get(KEY + name, "") for name in contract.key),
        at_field=field,
        opened_by=visit.visitor.name,
    )
    attached = attachment_views.taken(visit)
    try:
        made = challenges.open_challenge(visit.site.desk(), wanted, attached)
    except ConfigError:  # it names the part of the key; the page says so beside the form
        raise HTTPException(422, "key") from None
    return _back_to(visit, made)


def ticket(visit: Visit) -> Response:
    """One ticket and what happened to it; looking at it is audited."""
    found = there(visit.ticket)
    note(visit, "access.ticket", found.dataset, {"ticket": found.id})
    with hub(visit) as connection:
        events = tickets.events(connection, found.id)
        files = attachments.listed(connection, found.id)
    words = about(visit, found)
    return page(
        visit,
        "ticket",
        ticket=found,
        field_title=words.field,
        events=events,
        files=files,
        opens_files=visit.agency in visit.visitor.named,
        rule_title=words.rule,
        answers=found.agency == visit.agency and found.waits,
        raised=found.opened_for == visit.agency and not found.waits,
        outcomes=OUTCOMES,
        longest=LONGEST_TEXT,
        longest_owner=LONGEST_OWNER,
        **_files(),
    )


def acknowledge(visit: Visit) -> Response:
    """The agency has read the ticket."""
    found = _answerable(visit)
    with hub(visit) as connection:
        tickets.acknowledge(connection, found.id, _acting(visit))
    return _back_to(visit, found)


def hand_over(visit: Visit) -> Response:
    """Somebody else of the agency works on the ticket."""
    found = _answerable(visit)
    owner = security.written(visit.form, "owner", LONGEST_OWNER)
    with hub(visit) as connection:
        tickets.hand_over(connection, found.id, owner, _acting(visit))
    return _back_to(visit, found)


def answer(visit: Visit) -> Response:
    """The agency's answer."""
    found, outcome = _answerable(visit), visit.form.get("outcome", "")
    if outcome not in OUTCOMES:
        raise HTTPException(422, "outcome")
    text = security.written(visit.form, "text", LONGEST_TEXT)
    attached = attachment_views.taken(visit)
    with hub(visit) as connection, connection.transaction():
        tickets.answer(connection, found.id, Answer(outcome, text), _acting(visit))
        attachment_views.keep(visit, connection, found.id, attached)
    return _back_to(visit, found)


def comment(visit: Visit) -> Response:
    """Somebody of either agency says something, with or without a file."""
    found = there(visit.ticket)
    text = security.written(visit.form, "comment", LONGEST_TEXT)
    attached = attachment_views.taken(visit)
    with hub(visit) as connection, connection.transaction():
        tickets.comment(connection, found.id, text, _acting(visit))
        attachment_views.keep(visit, connection, found.id, attached)
    return _back_to(visit, found)


def close(visit: Visit) -> Response:
    """Whoever challenged is content: by the collect that saw the correction, or for a reason."""
    found = _raised(visit)
    evidence: dict[str, Any] = {"seen": found.seen}
    if visit.form.get("how") == "reason":
        reason = security.written(visit.form, "reason", LONGEST_TEXT)
        evidence = {"without_correction": reason}
    elif found.seen is None:
        raise HTTPException(409, "not_seen")
    with hub(visit) as connection:
        tickets.close(connection, found.id, evidence, _acting(visit))
    return _back_to(visit, found)


def reopen(visit: Visit) -> Response:
    """Whoever challenged is not content: the agency must answer once more, by a new deadline."""
    found = _raised(visit)
    reason = security.written(visit.form, "reason", LONGEST_TEXT)
    today = visit.site.settings.now().date()
    days = visit.catalogue.service_levels.days(found.agency, found.kind)
    with hub(visit) as connection:
        due = workdays.after(today, days)
        tickets.reopen(connection, found.id, reason, due, _acting(visit))
    return _back_to(visit, found)


def _answerable(visit: Visit) -> Ticket:
    found = there(visit.ticket)
    if found.agency != visit.agency:
        raise HTTPException(403, "answerer")
    return found


def _raised(visit: Visit) -> Ticket:
    found = there(visit.ticket)
    if found.opened_for != visit.agency:
        raise HTTPException(403, "challenger")
    return found


def _acting(visit: Visit) -> Acting:
    """Who acts, now, on the ticket as its page showed it.

    Raises:
        HTTPException: 422: the form names no version.
    """
    version = id_of(visit.form.get("version", ""))
    if version is None:
        raise HTTPException(422, "version")
    return Acting(visit.visitor.name, visit.site.settings.now(), version)


def _back_to(visit: Visit, found: Ticket) -> Response:
    return then_tell(visit, back(visit, "tickets", str(found.id)))
