"""A table as the database's catalogue has it."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.model.source_types import DeclaredColumn


@dataclass(frozen=True, slots=True)
class TableThere:
    """A table that is read.

    Attributes:
        name: as the database spells it.
        home: its schema, likewise; None: the login's own.
        columns: in the order of the table; none where the login sees no such table.
        exact: its names must be spelt so.
    """

    name: str
    home: str | None
    columns: tuple[DeclaredColumn, ...] = ()
    exact: bool = False

    def column(self, native: str) -> DeclaredColumn | None:
        """The column of a native name: spelt so, else the only one whose case alone differs.

        Args:
            native: as the contract spells it.
        """
        same = next((c for c in self.columns if c.name == native), None)
        if same is not None or self.exact:
            return same
        near = [c for c in self.columns if c.name.lower() == native.lower()]
        return near[0] if len(near) == 1 else None
