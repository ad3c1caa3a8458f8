"""How a dataset's source is read in partitions: by several workers at once, published once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from onecard.base.frozen import Frozen
from schemas.models.values import Name

MOST = 64
"""So many partitions at most: each costs a connection, a task and tables of its own."""
Parts = Annotated[int, Field(ge=2, le=MOST)]


class ByHash(Frozen):
    """A table by a hash of its key, computed by the source itself."""

    by: Literal["hash"]
    parts: Parts

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return self.parts


class ByRange(Frozen):
    """A table by ranges of an integer of its key.

    Attributes:
        bounds: first number of each range but the first one, which has no lower end; the last one
            has no upper end.
    """

    by: Literal["range"]
    field: Name
    bounds: tuple[int, ...] = Field(min_length=1, max_length=MOST - 1)

    @field_validator("bounds")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            msg = "partition.bounds: each number must be higher than the one before"
            raise ValueError(msg)
        return value

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return len(self.bounds) + 1

    def ends(self, number: int) -> tuple[int | None, int | None]:
        """The first number of a range, and the first one behind it; None: it has no such end."""
        edges = (None, *self.bounds, None)
        return edges[number], edges[number + 1]


class ByName(Frozen):
    """A folder by a hash of the files' names: each file is read by one worker."""

    by: Literal["name"]
    parts: Parts

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return self.parts


class ByParameter(Frozen):
    """An API by the values of a query parameter, each row being given for exactly one of them.

    Attributes:
        parameter: its name.
        values: all that there are, a partition each.
        exhaustive: the agency has stated that each row has one of these values; needed where the
            API gives no total by which the hub could see it.
    """

    by: Literal["parameter"]
    parameter: str = Field(min_length=1)
    values: tuple[str, ...] = Field(min_length=2, max_length=MOST)
    exhaustive: bool = False

    @field_validator("values")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            msg = "partition.values: each value stands once"
            raise ValueError(msg)
        return value

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return len(self.values)


Partition = Annotated[ByHash | ByRange | ByName | ByParameter, Field(discriminator="by")]
CHOICES = {
    "sql": ("hash", "range"),
    "files": ("name",),
    "push": (),
    "rest": ("parameter",),
    "soap": ("parameter",),
}
"""Kind of system → by what it can be read in partitions."""
