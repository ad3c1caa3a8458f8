"""`onecard drift`: the sources as they are now against their contracts, before the night."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import sql

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.operate import Json
from onecard.errors import ConfigError, OnecardError, unknown
from onecard.model.drift import shape
from onecard.operations import night
from onecard.operations.drift import Change, changes
from onecard.store import database, registry
from schemas.models import catalogue
from schemas.models.contract import Contract

SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at one dataset's source.

    Attributes:
        problem: why the source could not be looked at; the night would fail on it too.
        patch: unified diff of the contract's file.
    """

    dataset: str
    origin: str = ""
    changes: tuple[Change, ...] = ()
    problem: str = ""
    patch: str = ""

    @property
    def fails(self) -> bool:
        """Whether the night would fail."""
        return bool(self.problem) or any(c.fails for c in self.changes)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        listed = [
            {
                "kind": c.kind,
                "policy": c.policy,
                "native": c.native,
                "field": c.field,
                "says": c.says,
            }
            for c in self.changes
        ]
        return {
            "dataset": self.dataset,
            "origin": self.origin,
            "fails": self.fails,
            "changes": listed,
            "problem": self.problem,
            "patch": self.patch,
        }


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(drift)


def drift(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets or agencies; default: all.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Compare the sources' present columns with the contracts; exit 1 when a night would fail."""
    with output.errors_as_exit_codes():
        hub = Hub()
        found = [look(hub, d) for d in _wanted(hub, datasets or [])]
        if json:
            output.emit([item.as_json() for item in found])
        else:
            _show(found)
    if any(item.fails for item in found):
        raise typer.Exit(1)


def look(hub: Hub, dataset: str) -> Looked:
    """Compare one dataset's source with its contract."""
    from connectors.inspect.describe import describe  # noqa: PLC0415 - every connector, only here
    from onecard.operations.drift_patch import patch  # noqa: PLC0415

    contract = hub.catalogue.contract(dataset)
    try:
        source = describe(contract, hub.connections.get(contract.source.connection))
    except OnecardError as error:
        return Looked(dataset, problem=str(error))
    if source is None:
        return Looked(dataset, "nothing there yet")
    found = changes(contract, source)
    if any(c.kind == "missing" for c in found) and any(c.kind == "new" for c in found):
        lost = [c.field for c in found if c.kind == "missing"]
        found = changes(contract, source, _published_shapes(hub, contract, lost))
    file = (hub.settings.schemas or catalogue.ROOT) / "contracts" / f"{dataset}.odcs.yaml"
    return Looked(dataset, source.origin, found, patch=patch(Path(file), found))


def _published_shapes(hub: Hub, contract: Contract, fields: list[str]) -> dict[str, frozenset[str]]:
    """Shapes of published values of lost fields, by which a renamed column is known again."""
    found: dict[str, frozenset[str]] = {}
    with database.connect(hub.address, autocommit=True) as connection:
        if not registry.exists(connection, contract):
            return {}
        for name in fields:
            statement = database.query(
                "SELECT {f}::text FROM {t} WHERE {f} IS NOT NULL LIMIT {n}",
                f=sql.Identifier(name),
                t=sql.Identifier("registry", contract.table),
                n=sql.Literal(SAMPLE),
            )
            found[name] = frozenset(shape(str(r[0])) for r in connection.execute(statement))
    return found


def _wanted(hub: Hub, names: list[str]) -> list[str]:
    if not names:
        return list(night.datasets(hub))
    known, agencies = hub.catalogue.contracts, hub.catalogue.agencies
    found: list[str] = []
    for name in names:
        if "/" not in name and name not in agencies:
            raise ConfigError(unknown("dataset or agency", name, [*agencies, *known]))
        found += [hub.catalogue.contract(name).id] if "/" in name else night.datasets(hub, name)
    return found


def _show(found: list[Looked]) -> None:
    rows: list[tuple[str, ...]] = [
        (item.dataset, c.kind, c.native, c.field, c.policy, c.says)
        for item in found
        for c in item.changes
    ]
    rows += [(i.dataset, "unreadable", "", "", "fail", i.problem) for i in found if i.problem]
    if rows:
        output.table("drift", ("dataset", "change", "native", "field", "policy", "what"), rows)
    for item in found:
        if item.patch:
            output.say(item.patch)
    bad = sum(item.fails for item in found)
    output.say(
        f"{len(found)} source(s) looked at, {len(rows)} change(s); the night would fail on {bad}"
    )
