"""`onecard status`: what needs a person, how fast events travel, calls, the newest transfers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.memory import Memory
from onecard.base.settings import memory_folder
from onecard.base.times import shown
from onecard.cli import output, status_calls, status_groups, status_reaction
from onecard.cli.options import Json
from onecard.model.transfers import Transfer
from onecard.observe.exposition import exposition
from onecard.operations import attention, calls, reactions
from onecard.operations.attention import Issue
from onecard.store import database, transfer_history

Prometheus = Annotated[bool, typer.Option("--prometheus", help="Print Prometheus text.")]


def status(*, json: Json = False, prometheus: Prometheus = False) -> None:
    """What needs a person, how fast events reach their consumers, and the newest transfers."""
    with output.errors_as_exit_codes():
        hub = HubDesk(memory=Memory(memory_folder()))
        with database.connect(hub.address, autocommit=True) as connection:
            transfers = transfer_history.latest(connection)
            issues = attention.issues(connection, hub)
            reaction = reactions.lately(connection, hub.catalogue, hub.settings.now())
            called = calls.lately(connection, hub.catalogue, hub.settings.now())
        if prometheus:
            output.say(exposition(transfers, issues, reaction, called).rstrip("\n"))
            return
        if json:
            found = {
                "attention": [_attention(issue) for issue in issues],
                "reaction": status_reaction.lines(reaction),
                "calls": status_calls.lines(called),
                "transfers": _lines(transfers, issues),
            }
            output.emit(found)
            return
        if issues:
            status_groups.show(issues, hub.catalogue, _row)
        else:
            output.say("nothing needs a person")
        status_reaction.show(reaction)
        status_calls.show(called)
        columns = ("subject", "status", "when", "read", "published", "quarantined", "sent")
        output.table("newest transfers", columns, [_transfer(t) for t in transfers])


def _lines(transfers: list[Transfer], issues: list[Issue]) -> list[dict[str, Any]]:
    """One line for each newest transfer; kinds of its subject's issues stand in `attention`."""
    return [
        {
            "subject": t.subject,
            "direction": t.direction,
            "status": t.status,
            "started_at": t.started_at,
            "seconds": t.seconds,
            **{n: getattr(t.counts, n) for n in type(t.counts).__slots__},
            "sent_rows": t.sent_rows,
            "message": t.message,
            "transfer": t.id,
            "attention": [x.kind for x in issues if x.subject == t.subject],
        }
        for t in transfers
    ]


def _attention(issue: Issue) -> dict[str, Any]:
    """What needs a person, under the names of the table's columns."""
    return {
        "kind": issue.kind,
        "subject": issue.subject,
        "since": issue.since,
        "found": issue.says,
        "times": issue.times,
        "who": issue.who,
        "todo": issue.todo,
        "agency": issue.agency,
        "onboarding": issue.onboarding,
    }


def _row(issue: Issue) -> tuple[str, ...]:
    since = shown(issue.since, "%m-%d %H:%M") if issue.since else ""
    return issue.kind, issue.subject, since, issue.says, issue.who, issue.todo


def _transfer(found: Transfer) -> tuple[Any, ...]:
    counts = found.counts
    return (
        found.subject,
        found.status,
        shown(found.started_at, "%m-%d %H:%M:%S"),
        counts.rows_read,
        counts.published,
        counts.quarantined,
        found.sent_rows,
    )
