"""Commands that only look: lint, check, preview."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.operate import Json
from onecard.store import audit, database


def lint(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with contracts/, agreements/.")
    ] = None,
    *,
    against: Annotated[
        str | None,
        typer.Option(help="Git reference or folder: contract versions must have risen enough."),
    ] = None,
    json: Json = False,
) -> None:
    """Check every YAML file; names file, line, field, rule and the valid choices."""
    import connectors  # noqa: PLC0415 - with all option models, only here
    from schemas.lint import versions  # noqa: PLC0415
    from schemas.lint.check import lint as find  # noqa: PLC0415
    from schemas.models import catalogue  # noqa: PLC0415

    with output.errors_as_exit_codes():
        kinds: dict[str, Any] = {kind: connectors.connector(kind) for kind in connectors.KINDS}
        root = folder or catalogue.ROOT
        with versions.earlier(against, root) if against else nullcontext() as before:
            problems = find(root, connectors=kinds, against=before)
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
    from onecard.operations.file_check import check_file  # noqa: PLC0415 - Polars only here

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
        hub = Hub()
        frame = hub.deliver(agreement).preview(rows)
        with (
            database.connect(hub.address, autocommit=True) as connection,
            connection.transaction(),
        ):
            body = {"rows": len(frame)}
            audit.append(connection, "access.preview", agreement, hub.settings.actor, body)
        if json:
            output.emit(
                {"agreement": agreement, "columns": frame.columns, "rows": frame.to_dicts()}
            )
        else:
            output.table(agreement, frame.columns, [[str(v) for v in row] for row in frame.rows()])
            output.say(f"{len(frame)} row(s); nothing was sent")
