"""Commands of the correction loop: open, list, show, acknowledge, answer, close, review."""

from __future__ import annotations

import sys
from datetime import date
from typing import Annotated, Any

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base import workdays
from onecard.base.times import shown
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import UsageError, unknown
from onecard.model.tickets import Acting, Answer, Ticket, UnknownTicket, WrongState
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import database, tickets
from schemas.models.contract import Contract

Id = Annotated[int, typer.Argument(help="Id from `challenge list`.")]


def open_(  # noqa: PLR0913 - a challenge's parts, each an option
    *,
    dataset: Annotated[str, typer.Option(help="Dataset, e.g. hrss/card_master.")],
    opened_for: Annotated[str, typer.Option("--for", help="Agency whose challenge it is.")],
    statement: Annotated[str, typer.Option(help="What is wrong; no personal data.")],
    record: Annotated[
        bool, typer.Option("--record", help="A record; its key is asked for, or read from stdin.")
    ] = False,
    rule: Annotated[str, typer.Option(help="The rule or expectation that found it.")] = "",
    field: Annotated[str, typer.Option(help="The field that is wrong.")] = "",
    json: Json = False,
) -> None:
    """Open a challenge; the providing agency must answer it in working days.

    Args:
        dataset: id, e.g. `hrss/card_master`.
        opened_for: agency whose challenge it is.
        statement: what is wrong; no personal data.
        record: a record is challenged: its key is read from a prompt or standard input.
        rule: rule or expectation that found it; empty: none.
        field: the field that is wrong; empty: none.
        json: print JSON instead of text.
    """
    if not record and not rule:
        msg = "say which record or which finding is challenged"
        raise typer.BadParameter(msg, param_hint="--record / --rule")
    with output.errors_as_exit_codes():
        hub = HubDesk()
        key = _key(hub.catalogue.contract(dataset)) if record else None
        wanted = Challenge(dataset, opened_for, statement, key, rule, field)
        found = challenges.open_challenge(hub, wanted)
        warning = workdays.Due(found.due_on, found.clock).warning
        if json:
            output.emit({**_summary(found, hub.settings.now().date()), "warning": warning})
            return
        output.say(f"ticket {found.id}: {found.agency} answers until {found.due_on}")
        if record:
            output.say(f"the record is {_where(found)}")
        if warning:
            output.say(f"warning: {warning}")


def list_all(
    *,
    agency: Annotated[str | None, typer.Option(help="Only those that it must answer.")] = None,
    status: Annotated[
        str | None, typer.Option(help="open, acknowledged, answered, closed.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those answered late.")] = False,
    json: Json = False,
) -> None:
    """List challenges, those due first on top.

    Args:
        agency: only those that it must answer; None: all.
        status: only those in this state; None: all.
        overdue: only those answered late.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        if agency is not None and agency not in hub.catalogue.agencies:
            raise UsageError(unknown("agency", agency, hub.catalogue.agencies))
        today = hub.settings.now().date()
        with database.connect(hub.address, autocommit=True) as connection:
            found = tickets.listed(connection, agency, status)
        listed = [_summary(t, today) for t in found if t.overdue(today) or not overdue]
        if json:
            output.emit(listed)
            return
        columns = ("id", "agency", "for", "dataset", "about", "status", "due", "")
        rows = [
            (
                str(t["id"]),
                t["agency"],
                t["for"],
                t["dataset"],
                " ".join(filter(None, [t["kind"], t["field"], t["rule"]])),
                t["outcome"] or t["status"],
                str(t["due_on"]),
                "overdue" if t["overdue"] else "seen" if t["seen"] else "",
            )
            for t in listed
        ]
        output.table("challenges", columns, rows)


def show(ticket: Id, *, json: Json = False) -> None:
    """Show one challenge and what happened to it."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = tickets.get(connection, ticket)
            if found is None:
                msg = f"no ticket {ticket}; see `onecard challenge list`"
                raise UnknownTicket(msg)
            happened = tickets.events(connection, ticket)
        facts = _summary(found, hub.settings.now().date())
        facts |= {"statement": found.statement, "answer": found.answer}
        facts |= {"baseline": dict(found.baseline), "evidence": dict(found.evidence)}
        facts["warning"] = workdays.Due(found.due_on, found.clock).warning
        if json:
            listed = [{n: getattr(e, n) for n in type(e).__slots__} for e in happened]
            output.emit({**facts, "events": listed})
            return
        output.table(f"ticket {ticket}", ("", ""), [(n, str(v)) for n, v in facts.items() if v])
        rows = [
            (shown(e.at, "%Y-%m-%d %H:%M"), e.event, e.actor, str(e.transfer or ""), e.text)
            for e in happened
        ]
        output.table("events", ("at", "event", "by", "transfer", "text"), rows)


def acknowledge(ticket: Id) -> None:
    """Say that the agency has read the challenge."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            tickets.acknowledge(connection, ticket, _acting(hub))
        output.say(f"ticket {ticket}: acknowledged")


def answer(
    ticket: Id,
    *,
    outcome: Annotated[str, typer.Option(help="corrected, confirmed or rejected.")],
    text: Annotated[str, typer.Option(help="What was found; no personal data.")],
) -> None:
    """Answer a challenge for the agency.

    Args:
        ticket: id from `challenge list`.
        outcome: corrected, confirmed or rejected.
        text: what was found; no personal data.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            tickets.answer(connection, ticket, Answer(outcome, text), _acting(hub))
        output.say(f"ticket {ticket}: answered, {outcome}")


def close(
    ticket: Id,
    *,
    without_correction: Annotated[
        str, typer.Option(help="Why, when no collect has seen a correction.")
    ] = "",
) -> None:
    """Close a challenge, by the collect that saw the correction or for a reason."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = tickets.get(connection, ticket)
            evidence: dict[str, Any] = {"seen": found.seen if found else None}
            if without_correction:
                evidence = {"without_correction": without_correction}
            elif found and found.status == "answered" and found.seen is None:
                msg = (
                    f"ticket {ticket}: no collect has seen a correction; wait for `onecard"
                    " challenge review`, or give --without-correction and the reason"
                )
                raise WrongState(msg)
            tickets.close(connection, ticket, evidence, _acting(hub))
        output.say(f"ticket {ticket}: closed")


def review(*, json: Json = False) -> None:
    """Note which corrections the collects since have seen."""
    with output.errors_as_exit_codes():
        found = challenges.review(HubDesk())
        if json:
            output.emit([{"ticket": s.ticket, "transfer": s.transfer} for s in found])
            return
        for seen in found:
            output.say(f"ticket {seen.ticket}: correction seen by transfer {seen.transfer}")
        if not found:
            output.say("no correction seen since the last review")


def _acting(hub: HubDesk) -> Acting:
    """Whoever runs the command, now."""
    return Acting(hub.settings.actor, hub.settings.now())


def _key(contract: Contract) -> tuple[str, ...]:
    """The key's values from a hidden prompt, or one line each from standard input; never argv."""
    if sys.stdin.isatty():
        return tuple(
            str(typer.prompt(f"{contract.field(n).title} ({n})", hide_input=True, err=True))
            for n in contract.key
        )
    return tuple(line.rstrip("\r\n") for line in sys.stdin if line.strip())


def _where(ticket: Ticket) -> str:
    published, held = ticket.baseline["published"], ticket.baseline["quarantined"]
    if published:
        return "published, and rejected rows of it are held" if held else "published"
    return "held in quarantine" if held else "not known to the hub: check the key"


def _summary(ticket: Ticket, today: date) -> dict[str, Any]:
    names = ("id", "agency", "opened_by", "kind", "dataset", "field", "rule", "status", "outcome")
    return {name: getattr(ticket, name) for name in names} | {
        "for": ticket.opened_for,
        "opened_at": ticket.opened_at,
        "due_on": ticket.due_on,
        "owner": ticket.owner,
        "record": ticket.shown_key,
        "reference": ticket.reference,
        "clock": ticket.clock,
        "overdue": ticket.overdue(today),
        "working_days_left": workdays.between(today, ticket.due_on),
        "seen": ticket.seen,
        "closed_at": ticket.closed_at,
    }
