"""Packed groups of records of one size, loaded by one binary COPY: holdings and disclosures."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import LiteralString

import numpy as np
import numpy.typing as npt

from onecard.native import packing
from onecard.store.database import Connection

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_END = struct.pack(">h", -1)
_FORMATS = {"int4": "i", "int8": "q", "date": "i"}
_EPOCH = date(2000, 1, 1)
"""From which PostgreSQL counts days."""
_STEP = 8_192
"""Groups that are written at once."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Records by group; a group has at least one.

    Attributes:
        numbers: of the groups, ascending.
        starts: where each group starts in `records`, in bytes, with the end of the last.
        records: one after the other.
    """

    numbers: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    records: npt.NDArray[np.uint8]

    def parts(self) -> list[bytes]:
        """The records of each group."""
        first = int(self.starts[0])
        data = self.records[first : self.starts[-1]].tobytes()
        places = (self.starts - first).tolist()
        return [data[start:end] for start, end in pairwise(places)]

    def some(self, first: int, most: int) -> Groups:
        """At most so many groups, from one on.

        Args:
            first: place of the group.
            most: how many.
        """
        numbers = self.numbers[first : first + most]
        return Groups(numbers, self.starts[first : first + len(numbers) + 1], self.records)


def copy_groups(
    connection: Connection,
    statement: LiteralString,
    fields: Sequence[tuple[str, int | date | None]],
    parts: Iterable[Groups],
) -> None:
    """Load a row for each group.

    Args:
        connection: of the hub's database.
        statement: COPY of these fields and last of the records.
        fields: type and value of each field but the last; the value None is the group's number.
        parts: groups of which the rows are made.
    """
    head, place = struct.pack(">h", len(fields) + 1), 0
    for kind, value in fields:
        if value is None:
            place = len(head) + 4
        head += _field(kind, value)
    with connection.cursor() as cursor, cursor.copy(statement) as target:
        target.write(_SIGNATURE)
        for groups in parts:
            for start in range(0, len(groups.numbers), _STEP):
                target.write(_rows(head, place, groups.some(start, _STEP)))
        target.write(_END)


def _field(kind: str, value: int | date | None) -> bytes:
    """One field of a row: its length and its bytes."""
    number = (value - _EPOCH).days if isinstance(value, date) else value or 0
    form = _FORMATS[kind]
    return struct.pack(f">i{form}", struct.calcsize(f">{form}"), number)


def _rows(head: bytes, place: int, groups: Groups) -> bytes | memoryview:
    """The rows' bytes: for each its head with number and length put in, then its records."""
    made = packing.rows(head + bytes(4), place, groups.numbers, groups.starts, groups.records)
    return _joined(head, place, groups) if made is None else made.data


def _joined(head: bytes, place: int, groups: Groups) -> bytes:
    """`_rows` without the compiled library."""
    size = len(head) + 4
    heads = np.tile(np.frombuffer(head + bytes(4), np.uint8), (len(groups.numbers), 1))
    heads[:, place : place + 4] = groups.numbers.astype(">i4")[:, None].view(np.uint8)
    heads[:, -4:] = np.diff(groups.starts).astype(">i4")[:, None].view(np.uint8)
    made = heads.tobytes()
    pieces = [b""] * (2 * len(groups.numbers))
    pieces[::2] = [made[at : at + size] for at in range(0, len(made), size)]
    pieces[1::2] = groups.parts()
    return b"".join(pieces)
