"""Commands about rejected rows: list, show, release, replay, hand-back, purge."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.times import shown
from onecard.cli import output
from onecard.cli.options import Json, moment, why
from onecard.deliver.treatment_display import masked
from onecard.errors import UsageError
from onecard.operations import housekeeping
from onecard.operations.choice import check_rejected
from onecard.store import audit, database, quarantine
from onecard.store.quarantine import Record, Wanted
from schemas.models.expected import expected

Id = Annotated[int, typer.Argument(help="Id from `quarantine list`.")]
SHOWN = 50
"""Rows of a table."""
Dataset = Annotated[str | None, typer.Option("--dataset", help="Only this dataset.")]
RuleName = Annotated[
    str | None, typer.Option("--rule", help="Only rows that broke it: RULE, or 'FIELD RULE'.")
]
Since = Annotated[
    str | None, typer.Option("--since", help="Seen since: 2026-11-24, or with time and offset.")
]
TransferId = Annotated[
    int | None, typer.Option("--transfer", help="Only rows that this transfer rejected last.")
]


def list_all(  # noqa: PLR0913 - one parameter for each option
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.")] = None,
    *,
    of: Dataset = None,
    rule: RuleName = None,
    since: Since = None,
    transfer: TransferId = None,
    open_only: Annotated[
        bool, typer.Option("--open/--all", help="Only rows that wait (default), or all.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"So many; default {SHOWN}, as JSON all.")
    ] = None,
    json: Json = False,
) -> None:
    """List rejected rows, newest first: where they stood and why; no values.

    Args:
        dataset: only its rows; None: all.
        of: the same, as an option.
        rule: only rows that broke it.
        since: only rows seen since.
        transfer: only rows that this transfer rejected last.
        open_only: only rows that still wait; else also those that were mended, replayed, purged.
        limit: how many rows at most; None: `SHOWN`, as JSON all.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        which = wanted(hub, dataset or of, rule, since, transfer)
        which = replace(which, ended=not open_only)
        with database.connect(hub.address, autocommit=True) as connection:
            found = quarantine.wanted(connection, which, limit or (None if json else SHOWN))
            more = quarantine.number(connection, which) - len(found)
            if not found:
                check_rejected(hub.catalogue, connection, which)
        if json:
            output.emit([_line(r) for r in found])
            return
        output.table(
            "quarantine",
            ("id", "dataset", "origin", "row", "reasons", "status", "last seen"),
            [_row(r) for r in found],
        )
        if more:
            output.say(f"{more:,} more; `--limit {len(found) + more}` shows all")


def wanted(
    hub: HubDesk,
    dataset: str | None,
    rule: str | None,
    since: str | None,
    transfer: int | None,
) -> Wanted:
    """Which rows the options name.

    Args:
        hub: knows the datasets.
        dataset: one of them, or None.
        rule: a rule's name, `<field> <rule>`, or None.
        since: a day, or an instant with offset, or None.
        transfer: its id, or None.

    Raises:
        UsageError: no such dataset, or `since` is no moment.
    """
    if dataset is not None:
        hub.catalogue.contract(dataset)
    field, _, name = (rule or "").rpartition(" ")
    return Wanted(
        dataset=dataset,
        rule=name or None,
        field=field or None,
        since=_moment(since) if since else None,
        transfer=transfer,
    )


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        text = f"{text}T00:00:00+08:00"
    return moment(text, "--since")


def _line(r: Record) -> dict[str, object]:
    return {
        "id": r.id,
        "dataset": r.dataset,
        "origin": r.origin,
        "row": r.row_number,
        "reasons": r.reasons,
        "agreement": r.agreement,
        "status": r.status,
        "transfer": r.last_transfer,
        "ended_by": r.ended_by or None,
        "expires_at": r.expires_at,
        "first_seen": r.first_seen,
        "last_seen": r.last_seen,
    }


def _row(r: Record) -> tuple[str, ...]:
    return (
        str(r.id),
        r.dataset,
        r.origin,
        str(r.row_number),
        ", ".join(f"{f} {rule}".strip() for f, rule in r.reasons),
        r.status,
        shown(r.last_seen, "%m-%d %H:%M"),
    )


def show(
    record: Id,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Values in clear.")] = False,
    reason: Annotated[str, why("Why; needed with --reveal.")] = "",
    json: Json = False,
) -> None:
    """Show one rejected row, its values masked; `--reveal` shows them and is audited.

    Args:
        record: id from `quarantine list`.
        reveal: show values in clear; audited.
        reason: why; needed with `reveal`.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        if reveal and not reason.strip():
            msg = "--reveal needs --reason; both are audited"
            raise UsageError(msg)
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found, values = quarantine.reveal(connection, record, hub.keys)
            if reveal:
                with connection.transaction():
                    body = {"record": record, "reason": reason}
                    actor = hub.settings.actor
                    audit.append(connection, "access.reveal", found.dataset, actor, body)
        contract = hub.catalogue.contract(found.dataset)
        shown = {
            f.name: values.get(f.name) if reveal else masked(f, values.get(f.name))
            for f in contract.fields
            if f.name in values
        }
        if json:
            output.emit(
                {
                    "id": found.id,
                    "dataset": found.dataset,
                    "agreement": found.agreement,
                    "reasons": found.reasons,
                    "expected": {
                        field: form
                        for field, rule in found.reasons
                        if (form := expected(contract, field, rule))
                    },
                    "values": shown,
                }
            )
            return
        rules: dict[str, list[str]] = {}
        for field, rule in found.reasons:
            form = expected(contract, field, rule)
            rules.setdefault(field, []).append(f"{rule}: expected {form}" if form else rule)
        output.table(
            f"{found.dataset} #{found.id}",
            ("field", "value" if reveal else "value (masked)", "broken rules"),
            [(name, value or "", "; ".join(rules.get(name, ()))) for name, value in shown.items()],
        )


def purge() -> None:
    """Drop the values of all rows whose time to live is over."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            number = housekeeping.purge(hub, connection)
        output.say(f"{number} rows purged")
