"""Commands that only look: lint, check, preview, status, quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from onecard.cli import output
from onecard.cli.operate import Json
from onecard.hub import database, ledger, quarantine
from onecard.treatment_display import masked
from onecard.wiring import Hub


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(lint)
    app.command()(check)
    app.command()(preview)
    app.command()(status)
    boxes = typer.Typer(help="Rejected rows.")
    boxes.command("list")(quarantine_list)
    boxes.command("show")(quarantine_show)
    app.add_typer(boxes, name="quarantine")


def lint(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with contracts/, agreements/.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Check every YAML file; names file, line, field, rule and the valid choices."""
    import connectors  # noqa: PLC0415 - with all option models, only here
    from schemas import catalogue  # noqa: PLC0415
    from schemas.lint import lint as find  # noqa: PLC0415

    with output.errors_as_exit_codes():
        kinds: dict[str, Any] = {kind: connectors.connector(kind) for kind in connectors.KINDS}
        problems = find(folder or catalogue.ROOT, connectors=kinds)
        if json:
            output.emit(
                [
                    {
                        "file": str(p.file),
                        "line": p.line,
                        "field": p.field,
                        "rule": p.rule,
                        "message": p.message,
                    }
                    for p in problems
                ]
            )
        else:
            for problem in problems:
                output.say(str(problem))
            output.say(f"{len(problems)} problem(s)" if problems else "all YAML files are valid")
    if problems:
        raise typer.Exit(1)


def check(
    dataset: Annotated[str, typer.Argument(help="Dataset whose gate to run.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet file.")],
    *,
    encoding: Annotated[str, typer.Option(help="Encoding of a CSV: utf-8 or gb18030.")] = "utf-8",
    json: Json = False,
) -> None:
    """Run a dataset's gate on a local file; no database, nothing is stored, no value is printed."""
    from onecard.filecheck import check_file  # noqa: PLC0415 - Polars only here

    with output.errors_as_exit_codes():
        hub = Hub()
        found = check_file(hub, hub.catalogue.contract(dataset), file, encoding)
        if json:
            output.emit(found.as_json())
        else:
            rows = [(r["row"], r["field"], r["rule"]) for r in found.rows]
            if rows:
                output.table("rejected rows", ("row", "field", "rule"), rows)
            output.say(
                f"read {found.read:,}, accepted {found.accepted:,}, rejected {found.rejected:,}"
            )
    if found.rejected:
        raise typer.Exit(1)


def preview(
    agreement: Annotated[str, typer.Argument(help="Agreement id.")],
    *,
    rows: Annotated[int, typer.Option(min=1, help="How many rows at most.")] = 20,
    json: Json = False,
) -> None:
    """Show what would leave now under an agreement, after scope and treatment; sends nothing."""
    with output.errors_as_exit_codes():
        frame = Hub().deliver(agreement).preview(rows)
        if json:
            output.emit(
                {"agreement": agreement, "columns": frame.columns, "rows": frame.to_dicts()}
            )
        else:
            output.table(agreement, frame.columns, [[str(v) for v in row] for row in frame.rows()])
            output.say(f"{len(frame)} row(s); nothing was sent")


def status(*, json: Json = False) -> None:
    """The newest transfer of every dataset and agreement."""
    with output.errors_as_exit_codes():
        hub = Hub()
        with database.connect(hub.address, autocommit=True) as connection:
            transfers = ledger.latest(connection)
        if json:
            output.emit(
                [
                    {
                        "subject": t.subject,
                        "direction": t.direction,
                        "status": t.status,
                        "started_at": t.started_at,
                        "seconds": t.seconds,
                        **{n: getattr(t.counts, n) for n in type(t.counts).__slots__},
                        "sent_rows": t.sent_rows,
                        "message": t.message,
                    }
                    for t in transfers
                ]
            )
            return
        columns = (
            "subject",
            "status",
            "when",
            "read",
            "published",
            "quarantined",
            "sent",
            "message",
        )
        output.table(
            "newest transfers",
            columns,
            [
                (
                    t.subject,
                    t.status,
                    f"{t.started_at:%m-%d %H:%M:%S}",
                    t.counts.rows_read,
                    t.counts.published,
                    t.counts.quarantined,
                    t.sent_rows,
                    t.message,
                )
                for t in transfers
            ],
        )


def quarantine_list(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    json: Json = False,
) -> None:
    """List rejected rows: where they stood and why; no values."""
    with output.errors_as_exit_codes():
        hub = Hub()
        with database.connect(hub.address, autocommit=True) as connection:
            found = quarantine.records(connection, dataset, limit)
        if json:
            output.emit(
                [
                    {
                        "id": r.id,
                        "dataset": r.dataset,
                        "origin": r.origin,
                        "row": r.row_number,
                        "reasons": r.reasons,
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
                    f"{r.last_seen:%m-%d %H:%M}",
                )
                for r in found
            ],
        )


def quarantine_show(
    record: Annotated[int, typer.Argument(help="Id from `quarantine list`.")], *, json: Json = False
) -> None:
    """Show one rejected row, its values masked."""
    with output.errors_as_exit_codes():
        hub = Hub()
        with database.connect(hub.address, autocommit=True) as connection:
            found, values = quarantine.reveal(connection, record, hub.keys)
        contract = hub.catalogue.contract(found.dataset)
        shown = {f.name: masked(f, values.get(f.name)) for f in contract.fields if f.name in values}
        if json:
            output.emit(
                {
                    "id": found.id,
                    "dataset": found.dataset,
                    "reasons": found.reasons,
                    "values": shown,
                }
            )
            return
        rules: dict[str, list[str]] = {}
        for field, rule in found.reasons:
            rules.setdefault(field, []).append(rule)
        output.table(
            f"{found.dataset} #{found.id}",
            ("field", "value (masked)", "broken rules"),
            [(name, value or "", ", ".join(rules.get(name, ()))) for name, value in shown.items()],
        )
