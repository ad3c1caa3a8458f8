"""An answer's envelope, read piece by piece: its rows, what is named beside them, a fault.

No tree is made of it. What neither the options nor a fault name is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from itertools import chain, islice
from typing import BinaryIO

from connectors.common import xml_stream
from connectors.common.gather import OBJECT_ROWS
from connectors.common.xml_names import Names
from connectors.common.xml_rows import Record, Rows
from connectors.common.xml_stream import SEPARATOR, Refused
from connectors.soap.options import SoapSource, Version
from connectors.soap.references import References
from onecard.errors import ProtocolError

ENVELOPES: dict[Version, str] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
"""Namespaces of envelopes (SOAP 1.1, 3; SOAP 1.2 part 1, 5)."""
ENCODINGS = ("http://schemas.xmlsoap.org/soap/encoding/", "http://www.w3.org/2003/05/soap-encoding")
"""Namespaces of attributes that say how a value is encoded, and are none."""
PIECE = 1 << 17
"""Bytes that are parsed at once; the rows that they make stand in memory as objects."""
BODY = 3
"""How deep the elements of the Body stand."""
_DECLARED = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_UTF = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class Envelope(Rows):
    """Takes an envelope apart.

    Attributes:
        values: what stands at the paths that are wanted; None where an element is empty.
        fault: the codes of a fault, the outermost first; None: the answer is none.
        is_foreign: whether it is an envelope of another version.
    """

    def __init__(self, options: SoapSource, *, encoded: bool) -> None:
        """Nothing was read yet.

        Args:
            options: version, path of the rows, paths beside them, namespaces.
            encoded: values may stand elsewhere in the Body, and be referred to (SOAP 1.1, 5).
        """
        names = Names(options.namespaces)
        uri = ENVELOPES[options.version]
        own = [names.of(f"{uri}{SEPARATOR}{name}") for name in ("Envelope", "Body", "Fault")]
        super().__init__([*own[:2], *options.record.split("/")[1:]], names)
        self._version, self._envelope, self._fault = options.version, own[0], own[2]
        self._wanted: Collection[str] = frozenset(options.beside.values())
        self._way: list[str] = []
        self._bare = False
        self._texts: list[str] = []
        self.values: dict[str, str | None] = {}
        self.fault: list[str] | None = None
        self.is_foreign = False
        self.references = References() if encoded else None
        self._target: str | None = None
        self._places = tuple(f"{path}/" for path in (options.around, *options.beside.values()))
        self._reference = names.of(f"{ENCODINGS[1]}{SEPARATOR}ref")
        written = (*ENCODINGS, *ENVELOPES.values())
        self._written = tuple(p for u in written if (p := names.of(f"{u}{SEPARATOR}_")[:-1]))

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self._open:
            Rows.start(self, name, attributes)
            return
        own = self.names.of(name)
        if self.depth == 1 and own != self._envelope:
            raise Refused(self._no_envelope(own))
        self._way.append(own)
        self._bare, self._texts = True, []
        if self.references is not None and "href" in attributes:
            self._refuse_elsewhere()
        if self.depth == BODY and own == self._fault:
            self.fault = []
        identity = attributes.get("id") if self.references and self.depth == BODY else None
        if identity and self.around:
            self._target = identity
            inner = {k: v for k, v in attributes.items() if k != "id"}
            self.begin_row(inner, References.TEXT)
            return
        Rows.start(self, name, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        if self._open:
            Rows.end(self, name)
            return
        Rows.end(self, name)
        path = "/".join(["", *self._way[BODY - 1 :]])
        if self._bare and path in self._wanted:
            if path in self.values:
                msg = f"{path} stands in it twice"
                raise Refused(msg)
            self.values[path] = "".join(self._texts).strip() or None
        if self._bare and self.fault is not None and len(self._way) > BODY:
            self._code("".join(self._texts))
        self._way.pop()
        self._bare = False

    def characters(self, text: str) -> None:
        """Text, of a row or around rows."""
        if self._open:
            self._open[-1].parts.append(text)
        elif self._bare:
            self._texts.append(text)

    def row_ended(self, record: Record) -> None:
        """Take a row, or what rows refer to."""
        self._way.pop()
        self._bare = False
        if self.references is None:
            super().row_ended(record)
        elif self._target is not None:
            self.references.add_target(self._target, record)
            self._target = None
        elif not self.references.waits(record):
            super().row_ended(record)

    def is_unread(self, name: str) -> bool:
        """Whether an attribute says how a value is written or encoded, and is none.

        Raises:
            Refused: it says that the value stands elsewhere (SOAP 1.2 part 2, 3.1.5.2).
        """
        if name == self._reference:
            msg = "values stand elsewhere in it (enc:ref), which is not read"
            raise Refused(msg)
        return super().is_unread(name) or name == "xsi:type" or name.startswith(self._written)

    def resolved(self) -> Iterator[Record]:
        """Rows that have waited for what they refer to."""
        return iter(()) if self.references is None else self.references.resolved()

    def _refuse_elsewhere(self) -> None:
        """Only a row and its parts may stand elsewhere: a list behind a reference would be empty.

        So some services write every list of an encoded answer.
        """
        path = "/".join(["", *self._way[BODY - 1 :], ""])
        if any(place.startswith(path) for place in self._places):
            own = path.rstrip("/")
            msg = f"what belongs at {own} stands elsewhere in it (href), which is not read"
            raise Refused(msg)

    def _no_envelope(self, own: str) -> str:
        for version, uri in ENVELOPES.items():
            if version != self._version and own == self.names.of(f"{uri}{SEPARATOR}Envelope"):
                self.is_foreign = True
                return f"it is an answer in SOAP {version}, and {self._version} is declared"
        return f"it is no envelope of SOAP {self._version}"

    def _code(self, text: str) -> None:
        """A code of a fault: its local name, without its subdivisions (SOAP 1.1, 4.4.1)."""
        if self.fault is None or len(self.fault) >= xml_stream.DEEPEST:
            return
        inner = [step.rpartition(SEPARATOR)[2].rpartition(":")[2] for step in self._way[BODY:]]
        old = inner == ["faultcode"]
        if old or (inner[0] == "Code" and inner[-1] == "Value"):  # SOAP 1.2 part 1, 5.4.1
            self.fault.append(text.strip().rpartition(":")[2].partition(".")[0])


def records(stream: BinaryIO, envelope: Envelope, origin: str) -> Iterator[list[Record]]:
    """The rows as dictionaries by path, some thousands at a time.

    Args:
        stream: the body of an answer.
        envelope: takes it apart; what it has found beside the rows is whole at the end.
        origin: operation, for messages.

    Raises:
        ProtocolError: no envelope of that version, not well formed, not whole, with a document
            type, of another encoding than UTF-8, or of a shape that is refused.
    """
    found = xml_stream.fed(envelope, _bytes(stream, origin), origin, envelope.ready)
    with closing(found):
        made = chain(chain.from_iterable(found), envelope.resolved())
        yield from iter(lambda: list(islice(made, OBJECT_ROWS)), [])


def _bytes(stream: BinaryIO, origin: str) -> Generator[bytes, None, None]:
    """The body piece by piece; what declares another encoding than UTF-8 is refused."""
    piece = stream.read(PIECE)
    said = _DECLARED.match(piece.removeprefix(b"\xef\xbb\xbf"))
    if said and said[1].decode("ascii").lower() not in _UTF:
        msg = f"{origin}: the answer declares another encoding than UTF-8"
        raise ProtocolError(msg)
    while piece:
        yield piece
        piece = stream.read(PIECE)
