"""Commands about agreements: their life, what changes, who is stopped, the public list."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.times import shown
from onecard.cli import output
from onecard.cli.options import Json, why
from onecard.deliver.context import Extent
from onecard.errors import NotCollected, PolicyError, UsageError, unknown
from onecard.model.agreements import ALL, Life
from onecard.model.signoffs import SignOff
from onecard.operations.incidents import close_incident
from onecard.stewardship import agreement_words
from onecard.store import agreement_lives, database, incidents
from onecard.store.agreement_events import Act
from schemas.models.agreement import Agreement

By = Annotated[str, typer.Option("--by", help="Who decides (name or office).")]
Reason = Annotated[str, why("Why.")]
Id = Annotated[str, typer.Argument(help="Agreement id.")]


def list_all(*, json: Json = False) -> None:
    """All agreements and where they stand today."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        today = hub.settings.now().date()
        with database.connect(hub.address, autocommit=True) as connection:
            found = [
                (a, agreement_lives.life(connection, a, today))
                for _, a in sorted(hub.catalogue.agreements.items())
            ]
        if json:
            output.emit([_summary(a, life) for a, life in found])
            return
        rows = [
            (a.id, a.version, _state(life), a.consumer, a.purpose, str(a.validity.last))
            for a, life in found
        ]
        output.table("agreements", ("id", "version", "state", "consumer", "purpose", "until"), rows)


def show(agreement: Id, *, json: Json = False) -> None:
    """One agreement: what may leave, on which basis, and its life."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        with database.connect(hub.address, autocommit=True) as connection:
            life = agreement_lives.life(connection, found, hub.settings.now().date())
            events = agreement_lives.events(connection, agreement)
        if json:
            output.emit(
                {
                    **_summary(found, life),
                    "basis": f"{found.basis.statute} {found.basis.article}",
                    "fields": [f.model_dump(by_alias=True) for f in found.fields],
                    "events": [
                        {
                            "event": e.event,
                            "version": e.version,
                            "actor": e.actor,
                            "document": e.document,
                            "at": e.at,
                        }
                        for e in events
                    ],
                }
            )
            return
        output.say(f"{found.id} {found.version}: {found.title}: {_state(life)}")
        output.say(f"basis: {found.basis.statute} {found.basis.article}")
        fields = [(f.name, f.origin or "(constant)", f.treatment) for f in found.fields]
        output.table("what leaves", ("field", "from", "treatment"), fields)
        lines = [(shown(e.at), e.event, e.version, e.actor, e.document) for e in events]
        output.table("life", ("at", "event", "version", "by", "document or reason"), lines)


def approve(
    agreement: Id,
    *,
    by: By,
    document: Annotated[str, typer.Option("--document", help="Document of approval.")],
) -> None:
    """Record that the agreement's present text is approved.

    Where the text asks for two people (`approvers: 2`), the first approval waits for the second.

    Args:
        agreement: its id.
        by: who decides, by name or office.
        document: number of the document of approval.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.approve(connection, found, by, document)
            _say_state(hub, connection, found)


def withdraw(agreement: Id, *, by: By, reason: Reason) -> None:
    """Take back the first of two approvals, before a second person has approved as well.

    Args:
        agreement: its id.
        by: who decides, by name or office.
        reason: why; kept in the audit log.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.withdraw(connection, found, Act(by, reason))
            _say_state(hub, connection, found)


def _say_state(hub: HubDesk, connection: database.Connection, found: Agreement) -> None:
    """What the agreement's text is by now."""
    life = agreement_lives.life(connection, found, hub.settings.now().date())
    output.say(f"{found.id} {found.version}: {_state(life)}")


def suspend(agreement: Id, *, by: By, reason: Reason) -> None:
    """Suspend an agreement; only a new approval ends it.

    Args:
        agreement: its id.
        by: who decides, by name or office.
        reason: why; kept in the audit log.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.suspend(connection, found, by, reason)
        output.say(f"{agreement}: suspended")


def diff(
    agreement: Id,
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 when anything changes, as git does.")
    ] = False,
    json: Json = False,
) -> None:
    """What would newly flow compared with the approved text.

    Args:
        agreement: its id.
        exit_code: exit 1 when anything changes; without it only failures are no success.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        contracts = {d: hub.catalogue.contract(d) for d in found.datasets}
        with database.connect(hub.address, autocommit=True) as connection:
            life = agreement_lives.life(connection, found, hub.settings.now().date())
        approved = life.approval.content if life.approval else None
        lines = agreement_words.differences(approved, found, contracts)
        extent = _extent(agreement) if lines else None
        if json:
            version = life.approval.version if life.approval else None
            rows = {"send": extent.send, "withdraw": extent.withdraw} if extent else None
            told = {"agreement": agreement, "approved": version, "changes": lines, "rows": rows}
            output.emit(told)
        else:
            if extent:
                told_rows = f"将提供 {extent.send} 行，撤回 {extent.withdraw} 行（闸口扣留的除外）"
                lines = [*lines, told_rows]
            output.say("\n".join(lines) or "与已批准文本一致")
    if lines and exit_code:
        raise typer.Exit(1)


def _extent(agreement: str) -> Extent | None:
    """How many rows the text would send and withdraw; None where nobody can tell yet."""
    from onecard.app.wiring import Hub  # noqa: PLC0415 - only where rows are counted

    try:
        return Hub().deliver(agreement).extent()
    except (NotCollected, PolicyError):  # nothing collected, or no key: nothing would leave
        return None


def stop(
    consumer: Annotated[str, typer.Argument(help="A consumer, or `all`.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Stop deliveries at once, also those that are under way.

    Args:
        consumer: its id, or `all`.
        by: who decides, by name or office.
        reason: why; kept in the audit log.
    """
    _switch(consumer, by, reason, stopped=True)


def start(
    consumer: Annotated[str, typer.Argument(help="A consumer, or `all`.")],
    *,
    by: By,
    reason: Reason,
) -> None:
    """Let deliveries go on again.

    Args:
        consumer: its id, or `all`.
        by: who decides, by name or office.
        reason: why; kept in the audit log.
    """
    _switch(consumer, by, reason, stopped=False)


def _switch(consumer: str, by: str, reason: str, *, stopped: bool) -> None:
    with output.errors_as_exit_codes():
        hub = HubDesk()
        if consumer != "all" and consumer not in hub.catalogue.agencies:
            raise UsageError(unknown("consumer", consumer, [*hub.catalogue.agencies, "all"]))
        scope = ALL if consumer == "all" else consumer
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, scope, by, reason, stopped=stopped)
        output.say(f"deliveries to {consumer} are {'stopped' if stopped else 'started'}")


def incidents_list(*, json: Json = False) -> None:
    """Open incidents: a rule blocked, and earlier rows of the agreement had left."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = [
                (i.id, i.agreement, i.transfer, i.rule, i.delivered_rows, i.opened_at)
                for i in incidents.open_ones(connection)
            ]
        columns = ("id", "agreement", "transfer", "rule", "rows delivered", "opened")
        if json:
            output.emit([dict(zip(columns, line, strict=True)) for line in found])
        else:
            output.table("incidents", columns, [[str(v) for v in line] for line in found])


def incidents_close(
    incident: Annotated[int, typer.Argument(help="Id from `incidents list`.")],
    *,
    by: By,
    reason: Annotated[str, why("What was found and done.")],
) -> None:
    """Close an incident after it was handled; audited.

    Args:
        incident: id from `incidents list`.
        by: who decides, by name or office.
        reason: what was found and done; kept in the audit log.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            close_incident(connection, incident, SignOff(by, reason))
        output.say(f"incident {incident} is closed")


def _state(life: Life) -> str:
    stopped = f" (stopped: {life.stopped})" if life.stopped is not None else ""
    waits = f" (approved by {life.first.actor}, waits for a second person)" if life.first else ""
    return life.state + (" (changed)" if life.changed else "") + waits + stopped


def _summary(agreement: Agreement, life: Life) -> dict[str, object]:
    approval = life.approval
    return {
        "id": agreement.id,
        "version": agreement.version,
        "title": agreement.title,
        "state": life.state,
        "changed": life.changed,
        "stopped": life.stopped,
        "consumer": agreement.consumer,
        "purpose": agreement.purpose,
        "fingerprint": agreement.fingerprint,
        "approved_by": approval.actor if approval else None,
        "approved_in": approval.document if approval else None,
        "approvers": life.approvers,
        "first_approval_by": life.first.actor if life.first else None,
        "valid_to": str(agreement.validity.last),
    }
