"""Which elements of an XML document are its rows: those that repeat, and hold something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing

from connectors.common import xml_stream
from connectors.common.xml_stream import SEPARATOR, Handler
from connectors.files import xml_read
from connectors.files.layouts import Xml
from connectors.files.text_file import Text
from onecard.errors import ProtocolError

MOST_CHARACTERS = 1 << 22
"""Of the document's beginning that are looked at."""
MOST_PATHS = 10_000


def record_path(file: Text, encoding: str) -> tuple[str, dict[str, str]]:
    """The path of the rows, and the prefixes that it has for namespaces.

    Args:
        file: a local copy.
        encoding: of the document.

    Raises:
        ProtocolError: no XML, or no element that repeats and holds others or attributes.
    """
    handler = _Paths()
    options = Xml.model_validate({"kind": "xml", "record": "/x/y", "encoding": encoding})
    with file.path.open("rb") as stream:
        data = _beginning(xml_read.document_text(stream, file.origin, options), handler)
        with closing(xml_stream.fed(handler, data, file.origin, handler.ready)) as found:
            try:
                for _ in found:
                    pass
            except ProtocolError:
                if not handler.cut:
                    raise
    rows = [p for p, n in handler.times.items() if n > 1 and p in handler.holding]
    rows = rows or [p for p in handler.times if len(p) > 1 and p in handler.holding]
    if not rows:
        msg = f"{file.origin}: no element of the document repeats and holds something"
        raise ProtocolError(msg)
    shallow = min(map(len, rows))
    best = max((p for p in rows if len(p) == shallow), key=lambda p: handler.times[p])
    uris = dict.fromkeys(uri for step in handler.names for uri in [_uri(step)] if uri)
    prefixes = {uri: f"n{number}" for number, uri in enumerate(uris, start=1)}
    path = "".join(f"/{_named(step, prefixes)}" for step in best)
    return path, {prefix: uri for uri, prefix in prefixes.items()}


def _beginning(text: Generator[str, None, None], handler: _Paths) -> Generator[str, None, None]:
    """Some of a document; whether more was there is noted."""
    left = MOST_CHARACTERS
    with closing(text) as pieces:
        for piece in pieces:
            yield piece
            left -= len(piece)
            if left <= 0:
                handler.cut = True
                return


class _Paths(Handler):
    """How often each path of elements stands in a document.

    Attributes:
        times: by path.
        holding: paths of elements with others, or attributes, in them.
        names: of all elements.
        cut: the document is longer than what is looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        self.times: Counter[tuple[str, ...]] = Counter()
        self.holding: set[tuple[str, ...]] = set()
        self.names: dict[str, None] = {}
        self.cut = False
        self._open: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._open:
            self.holding.add(tuple(self._open))
        self._open.append(name)
        self.names[name] = None
        path = tuple(self._open)
        if len(self.times) < MOST_PATHS or path in self.times:
            self.times[path] += 1
        if attributes:
            self.holding.add(path)

    def end(self, name: str) -> None:  # noqa: ARG002 - expat's
        self._open.pop()
        self.text = 0

    @staticmethod
    def ready() -> list[None]:
        """Nothing is made on the way."""
        return []


def _uri(name: str) -> str:
    return name.rpartition(SEPARATOR)[0]


def _named(name: str, prefixes: dict[str, str]) -> str:
    uri, _, local = name.rpartition(SEPARATOR)
    return f"{prefixes[uri]}:{local}" if uri else local
