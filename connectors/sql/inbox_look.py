"""What a database says of an inbox table, asked before anything is sent into it.

Each dialect fills in these values (`Dialect.look`); `inbox_fit` judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "text", "fixed", "integer", "decimal", "float", "boolean", "date", "clock", "instant", "other"
]
"""What a column holds: `fixed` is text padded with blanks, `clock` date and time without a zone,
`instant` with one, `other` whatever cannot hold all values of any type that leaves."""


@dataclass(frozen=True, slots=True)
class InboxColumn:
    """A column as the database declares it.

    Attributes:
        declared: its type in the database's own words.
        length: characters that text may have; None: no limit.
        octets: bytes that text may have; None: no limit.
        digits: of integers: how many any number may have, either sign; of decimals: before the
            point; None: no limit.
        scale: digits after the point; None: no limit.
        fraction: digits of a second.
        optional: an INSERT need not name it.
        made: the database makes its values itself.
        narrow: name of a character set that lacks characters; empty: it has all.
        blurs: the collation, where it takes different texts for equal; else empty.
        pads: its comparisons ignore blanks at the end.
        stamp: holds instants of some decades only: good for the hub's own remarks, not for values.
    """

    name: str
    declared: str
    family: Family
    length: int | None = None
    octets: int | None = None
    digits: int | None = None
    scale: int | None = None
    fraction: int = 6
    optional: bool = True
    made: bool = False
    narrow: str = ""
    blurs: str = ""
    pads: bool = False
    stamp: bool = False


@dataclass(frozen=True, slots=True)
class InboxTable:
    """An inbox table as the database declares it.

    Attributes:
        flaws: why no delivery may go there, whatever its columns.
        columns: by name, in the spelling of `Dialect.named`.
        unique: column sets that the database keeps unique, without conditions or expressions.
        triggers: names of what may change rows on their way in or out.
    """

    flaws: tuple[str, ...]
    columns: dict[str, InboxColumn]
    unique: tuple[frozenset[str], ...]
    triggers: tuple[str, ...] = ()
