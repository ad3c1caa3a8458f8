"""Formulas of a workbook that ask another program or the network, wherever one may stand.

The text of a formula is what an XML parser makes of it: characters by number, CDATA and comments
hide nothing. All is linear in what is read.
"""

from __future__ import annotations

import re
from contextlib import closing

from connectors.common.xml_stream import SEPARATOR, Handler, Parsing

_FORMULAS = frozenset(
    {
        "f",
        "formula",
        "formula1",
        "formula2",
        "definedName",
        "calculatedColumnFormula",
        "totalsRowFormula",
    }
)
"""Elements whose text is a formula (ECMA-376, 18; charts and extensions have `f`), in any
namespace."""
_ATTRIBUTE = "formula"
"""Of a pivot table's calculated items and fields."""
_LIKELY = re.compile(
    rb"<(?:[^\s<>/:]+:)?(?:" + "|".join(sorted(_FORMULAS)).encode() + rb")[\s>]|"
    rb"\s" + _ATTRIBUTE.encode() + rb"\s*="
)
"""What a part without any formula has not: names cannot be written otherwise."""
_ASKING = ("WEBSERVICE", "IMAGE(", "RTD(", "CALL(", "REGISTER", "STOCKHISTORY")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
"""Names of sheets and topics, and texts."""
PIECE = 1 << 20
"""Bytes that are parsed at once."""


def asks(part: bytes) -> bool:
    """Whether a formula of a part asks another program (DDE, a server, a library) or the network.

    Raises:
        ProtocolError: the part has formulas, and is no well-formed XML in UTF-8.
    """
    if not _LIKELY.search(part):
        return False
    found = _Formulas()
    with closing(Parsing(found, "the workbook", "utf-8")) as parsing:
        for start in range(0, len(part), PIECE):
            parsing.feed(part[start : start + PIECE])
            if found.asking:
                return True
        parsing.end()
    return found.asking


class _Formulas(Handler):
    """Looks at each formula when its element ends."""

    def __init__(self) -> None:
        super().__init__()
        self.asking = False
        self._open = 0
        self._said: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A formula begins, or stands in the tag."""
        self.text = 0
        if name.rpartition(SEPARATOR)[2] in _FORMULAS:
            self._open += 1
        if _ATTRIBUTE in attributes:
            self.asking |= _asks(attributes[_ATTRIBUTE])

    def characters(self, text: str) -> None:
        """A part of a formula."""
        if self._open:
            self._said.append(text)

    def end(self, name: str) -> None:
        """A formula is whole."""
        self.text = 0
        if name.rpartition(SEPARATOR)[2] not in _FORMULAS:
            return
        self._open -= 1
        if not self._open:
            self.asking |= _asks("".join(self._said))
            self._said.clear()


def _asks(formula: str) -> bool:
    """Whether one formula does: by a function, or by `program|topic!item` (DDE)."""
    called = "(".join(piece.rstrip() for piece in formula.upper().split("("))
    if any(name in called for name in _ASKING):
        return True
    bare = _QUOTED.sub(lambda found: found[0] if found[0][0] == "'" else '""', formula)
    return "|" in bare and bare.rfind("!") > bare.find("|")
