"""The list of a workbook's texts (ECMA-376-1, 18.4): by the compiled scanner, where it is there.

Texts that are odd (of several formats, with characters written as numbers) go through expat.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from connectors.common import xml_stream
from connectors.common.xml_cut import CutDocument
from connectors.common.xml_stream import Handler, Refused
from connectors.files.xlsx_names import names
from onecard import native
from onecard.native import sheet_scan
from onecard.native.cells import Bytes

TEXTS_LIMIT = 256 * 1024**2
"""Bytes of all texts of a workbook, which are held in memory."""
MOST_TEXTS = 1 << 25
"""Texts of a workbook; empty ones take room as well."""
LONGEST_TEXT = 1 << 16
"""Characters of one text; a cell of Excel holds half as many."""
LONG_TEXT = 1 << 10
"""Bytes from which on a text is one object, however many cells hold it."""
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""A control character as the format writes it (ECMA-376-1, 22.9.2.19)."""


def unescaped(text: str) -> str:
    """Text with the characters that XML cannot hold; halves of a pair stay as they are written.

    Args:
        text: as it stands in the part.
    """
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code < 0xE000 else chr(code)


class SharedTexts:
    """The texts of a workbook, each once, as one run of bytes: a fifth of a list of strings.

    Attributes:
        ends: where each ends among the bytes.
    """

    def __init__(self) -> None:
        self._bytes, self.ends = bytearray(), array("Q")
        self._long: dict[int, str] = {}

    def add(self, text: str) -> None:
        """One more."""
        if len(text) > LONGEST_TEXT:
            msg = f"one of its texts is longer than {LONGEST_TEXT} characters"
            raise Refused(msg)
        self._bytes += text.encode("utf-8", "surrogatepass")
        self.ends.append(len(self._bytes))
        self._check()

    def _check(self) -> None:
        if len(self.ends) > MOST_TEXTS:
            msg = f"more than {MOST_TEXTS} texts: split the list"
            raise Refused(msg)
        if len(self._bytes) > TEXTS_LIMIT:
            msg = f"its texts are longer than {TEXTS_LIMIT} bytes: split the list"
            raise Refused(msg)

    def extend(self, texts: Bytes, ends: npt.NDArray[np.uint64]) -> None:
        """Some more, none of them longer than may be.

        Args:
            texts: one behind the other.
            ends: where each ends among them.
        """
        before = np.uint64(len(self._bytes))
        self._bytes += texts.tobytes()
        self.ends.frombytes((ends + before).tobytes())
        self._check()

    def listed(self) -> tuple[Bytes, npt.NDArray[np.uint64]]:
        """All of them, one behind the other, and where each ends; no more can be added."""
        return np.frombuffer(self._bytes, np.uint8), np.frombuffer(self.ends, np.uint64)

    def text(self, place: int) -> str | None:
        """The text of a number; None where there is none."""
        if not 0 <= place < len(self.ends):
            return None
        if place in self._long:
            return self._long[place]
        start = self.ends[place - 1] if place else 0
        found = bytes(self._bytes[start : self.ends[place]]).decode("utf-8", "surrogatepass")
        if self.ends[place] - start > LONG_TEXT:
            self._long[place] = found
        return found


def listed_texts(pieces: Generator[bytes, None, None], origin: str) -> SharedTexts:
    """The texts of a workbook.

    Args:
        pieces: of the part that lists them.
        origin: name of the file, for messages.

    Raises:
        ProtocolError: not well formed, not whole, or more than may be.
    """
    handler, library = _Texts(), native.library()
    if library is None:
        for _ in xml_stream.fed(handler, pieces, origin, list):
            pass
        return handler.found
    with CutDocument(handler, pieces, "si", origin) as document:
        left = True
        while left:
            if document.between:
                part = sheet_scan.texts(library, document.data, document.at, LONGEST_TEXT)
                with document.refusing():
                    handler.found.extend(part.texts, part.ends)
                document.took(part.at, part.lines)
                if not document.is_whole() and document.more():
                    continue
            left = document.read_on()
    return handler.found


class _Texts(Handler):
    """Texts of cells: runs are joined, what tells how they are spoken is left out."""

    _KINDS = names("sst", "si", "t", "rPh")

    def __init__(self) -> None:
        super().__init__()
        self.found = SharedTexts()
        self._parts: list[str] = []
        self._taking = self._spoken = self._listed = False

    def is_between(self) -> bool:
        """Whether texts stand here, and none is open."""
        return self._listed and self.depth == 1

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - expat's
        kind = self._KINDS.get(name)
        if kind == "si":
            self._parts = []
        elif kind == "rPh":
            self._spoken = True
        elif kind == "t":
            self._taking = not self._spoken
        elif kind == "sst" and self.depth == 1:
            self._listed, self.around_at = True, self.here()

    def end(self, name: str) -> None:
        kind = self._KINDS.get(name)
        if kind == "si":
            self.found.add(unescaped("".join(self._parts)))
            self.text, self.ended_at = 0, self.here()
        elif kind == "rPh":
            self._spoken = False
        elif kind == "t":
            self._taking = False

    def characters(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)
