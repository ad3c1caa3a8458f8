"""Commands that move data: collect, deliver, nightly, db upgrade."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onecard.app.wiring import AuditEngine, Hub
from onecard.base.settings import Settings
from onecard.cli import output
from onecard.collect.publish import Collected
from onecard.deliver.context import Delivered
from onecard.errors import ConfigError, unknown
from onecard.model.signoffs import keepable
from onecard.operations import night
from onecard.store import database, migrate

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def why(text: str) -> Any:  # noqa: ANN401 - as typer declares its options
    """An option `--reason`, with its help; a reason is kept for good, so it holds nobody's data."""
    return typer.Option("--reason", help=text, callback=_keepable)


def _keepable(reason: str) -> str:
    with output.errors_as_exit_codes():
        return keepable(reason)


Audit = Annotated[str, typer.Option(help="Engine of dataset-level expectations: sql or gx.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(collect)
    app.command()(deliver)
    app.command()(nightly)
    db = typer.Typer(help="The hub's own database.")
    db.command("upgrade")(upgrade)
    app.add_typer(db, name="db")


def collect(
    datasets: Annotated[list[str], typer.Argument(help="Datasets or agencies, e.g. hrss.")],
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read all, not from the watermark.")
    ] = False,
    audit: Audit = "sql",
    json: Json = False,
) -> None:
    """Collect datasets from their agencies into the registry."""
    with output.errors_as_exit_codes():
        hub = Hub(audit=_engine(audit))
        wanted = [d for name in datasets for d in _datasets(hub, name)]
        _run(wanted, lambda d: hub.collect(d).run(whole=whole), as_json=json)


def deliver(
    agreements: Annotated[list[str], typer.Argument(help="Agreements or consumers.")],
    *,
    json: Json = False,
) -> None:
    """Deliver to consumers what their agreements grant and they do not have yet."""
    with output.errors_as_exit_codes():
        hub = Hub()
        wanted = [a for name in agreements for a in _agreements(hub, name)]
        _run(wanted, lambda a: hub.deliver(a).run(), as_json=json)


def nightly(*, audit: Audit = "gx", json: Json = False) -> None:
    """Collect everything, deliver everything, write the reports, tell what is wrong."""
    from onecard.cli.alarms import after_night  # noqa: PLC0415 - it imports this module
    from onecard.cli.report import write_report  # noqa: PLC0415 - templates only where needed
    from onecard.cli.stewards import write_due  # noqa: PLC0415
    from onecard.operations import alarms  # noqa: PLC0415 - only where a night ran

    with output.errors_as_exit_codes():
        hub = Hub(audit=_engine(audit))
        lines = Lines(as_json=json)
        outcome = night.run(hub, lines.note)
        page, files = write_report(hub), write_due(hub)
        lines.close({"report": str(page), "agencies' reports": len(files)})
        alarms.failed(after_night(hub))
    raise typer.Exit(outcome.exit_code)


def upgrade() -> None:
    """Bring the hub's database to this version's revision."""
    with output.errors_as_exit_codes():
        revision = migrate.upgrade(database.url(Settings.load()))
        output.say(f"database at revision {revision}")


class Lines:
    """Prints one line per finished transfer, or collects them for JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._done: list[dict[str, object]] = []

    def note(self, subject: str, result: object) -> None:
        """Take one result: Collected, Delivered or an error."""
        line: dict[str, object] = {"subject": subject}
        if isinstance(result, Collected):
            c = result.counts
            line |= {name: getattr(c, name) for name in type(c).__slots__}
            text = (
                f"read {c.rows_read:,}, published {c.published:,}, unchanged {c.unchanged:,}, "
                f"quarantined {c.quarantined:,}, deduplicated {c.deduplicated:,}"
            )
        elif isinstance(result, Delivered):
            names = ("rows", "parts", "already", "deleted")
            line |= {name: getattr(result, name) for name in names}
            text = f"delivered {result.rows:,}" if result.transfer else "nothing due"
            text += f", deletes {result.deleted:,}" if result.deleted else ""
        else:
            line |= {"error": str(result), "kind": type(result).__name__}
            text = f"{type(result).__name__}: {result}"
        self._done.append(line)
        if not self._json:
            output.say(f"{subject}: {text}")

    def close(self, more: dict[str, object] | None = None) -> None:
        """Print the JSON, when that was asked for."""
        if self._json:
            output.emit({"transfers": self._done, **(more or {})})
        elif more:
            output.say("\n".join(f"{name}: {value}" for name, value in more.items()))


def _run(subjects: list[str], run: object, *, as_json: bool) -> None:
    lines = Lines(as_json=as_json)
    outcome = night.run_each(subjects, run, lines.note)  # type: ignore[arg-type]
    lines.close()
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _engine(name: str) -> AuditEngine:
    if name not in ("sql", "gx"):
        raise ConfigError(unknown("audit engine", name, ("sql", "gx")))
    return "gx" if name == "gx" else "sql"


def _datasets(hub: Hub, name: str) -> tuple[str, ...]:
    if "/" in name:
        return (hub.catalogue.contract(name).id,)
    found = night.datasets(hub, name)
    if not found:
        known = {c.agency for c in hub.catalogue.contracts.values()}
        raise ConfigError(unknown("agency", name, known))
    return found


def _agreements(hub: Hub, name: str) -> tuple[str, ...]:
    found = night.agreements(hub, name)
    return found or (hub.catalogue.agreement(name).id,)
