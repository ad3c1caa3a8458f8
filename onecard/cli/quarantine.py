"""Commands about rejected rows: list, show, release, replay, hand-back, purge."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.times import shown
from onecard.cli import output
from onecard.cli.options import Json, why
from onecard.deliver.treatment_display import masked
from onecard.errors import UsageError
from onecard.operations import housekeeping
from onecard.store import audit, database, quarantine
from schemas.models.expected import expected

Id = Annotated[int, typer.Argument(help="Id from `quarantine list`.")]


def list_all(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    json: Json = False,
) -> None:
    """List rejected rows: where they stood and why; no values.

    Args:
        dataset: only its rows; None: all.
        limit: how many rows at most.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = quarantine.records(connection, dataset, limit)
        if dataset is not None and not found:
            hub.catalogue.contract(dataset)  # else nobody would see a slip of the pen
        if json:
            output.emit(
                [
                    {
                        "id": r.id,
                        "dataset": r.dataset,
                        "origin": r.origin,
                        "row": r.row_number,
                        "reasons": r.reasons,
                        "agreement": r.agreement,
                        "expires_at": r.expires_at,
                        "first_seen": r.first_seen,
                        "last_seen": r.last_seen,
                    }
                    for r in found
                ]
            )
            return
        output.table(
            "quarantine",
            ("id", "dataset", "origin", "row", "reasons", "last seen"),
            [
                (
                    str(r.id),
                    r.dataset,
                    r.origin,
                    str(r.row_number),
                    ", ".join(f"{f} {rule}".strip() for f, rule in r.reasons),
                    shown(r.last_seen, "%m-%d %H:%M"),
                )
                for r in found
            ],
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
