"""One dataset's source as it is now against its contract, and the diff that would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from connectors.inspect.describe import describe
from onecard.errors import OnecardError
from onecard.model.drift import shape
from onecard.operations.drift import Change, changes
from onecard.operations.drift_patch import patch
from onecard.ports.desk import Desk
from onecard.store import database, registry
from schemas.models import catalogue
from schemas.models.contract import Contract

SAMPLE = 200
"""Published values whose shape is looked at, per lost field."""


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


def look(desk: Desk, dataset: str) -> Looked:
    """Compare one dataset's source with its contract."""
    contract = desk.catalogue.contract(dataset)
    try:
        source = describe(contract, desk.connections.get(contract.source.connection))
    except OnecardError as error:
        return Looked(dataset, problem=str(error))
    if source is None:
        return Looked(dataset, "nothing there yet")
    found = changes(contract, source)
    if any(c.kind == "missing" for c in found) and any(c.kind == "new" for c in found):
        lost = [c.field for c in found if c.kind == "missing"]
        found = changes(contract, source, _published_shapes(desk, contract, lost))
    file = (desk.settings.schemas or catalogue.ROOT) / "contracts" / f"{dataset}.odcs.yaml"
    return Looked(dataset, source.origin, found, patch=patch(Path(file), found))


def _published_shapes(
    desk: Desk, contract: Contract, fields: list[str]
) -> dict[str, frozenset[str]]:
    """Shapes of published values of lost fields, by which a renamed column is known again."""
    found: dict[str, frozenset[str]] = {}
    with database.connect(desk.address, autocommit=True) as connection:
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
