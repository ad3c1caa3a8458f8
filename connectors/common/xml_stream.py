"""XML piece by piece, by expat: no document type, so no entities; depth and tokens bounded.

Without a document type there is nothing that a name could expand to, and nothing that is fetched
(CWE-611, CWE-776).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar
from xml.parsers import expat

from onecard.errors import ProtocolError

SEPARATOR = "}"
"""Between a namespace's URI and a name."""
DEEPEST = 64
"""Elements inside one another; deeper ones are no rows of anybody."""
LONGEST_TOKEN = 1 << 24
"""Bytes of one tag, or of whatever has no end yet."""
LONGEST_ROW = 1 << 24
"""Characters of one row."""

T = TypeVar("T")


class Refused(Exception):
    """Something in the document that is not read; its words end a message."""


class Handler:
    """What is done with a document; subclasses take elements and texts.

    Attributes:
        depth: elements that are open.
        text: characters since the last row.
        here: where the tag begins that expat speaks of, in bytes of what it was given.
        encoding: that the document declares.
        around_at: where the tag of the element begins around those that may be cut out
            (`connectors.common.xml_cut`); -1: it did not come yet.
        ended_at: where the end tag of the last of them begins.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.text = 0
        self.here: Callable[[], int] = lambda: -1
        self.encoding = "utf-8"
        self.around_at = self.ended_at = -1

    def declared(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002
        """The document's declaration: expat's own call.

        Args:
            version: of XML.
            encoding: of the document; None: UTF-8.
            standalone: whether other documents belong to it.
        """
        self.encoding = (encoding or "utf-8").lower()

    def is_between(self) -> bool:
        """Whether elements that may be cut out stand here, and none is open."""
        return False

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins: expat's own call, which counts.

        Args:
            name: as for `start`.
            attributes: by their names.

        Raises:
            Refused: too deep.
        """
        self.deeper()
        self.start(name, attributes)

    def deeper(self) -> None:
        """One more element is open; raises Refused where there are too many."""
        self.depth += 1
        if self.depth > DEEPEST:
            msg = f"elements stand in one another more than {DEEPEST} deep"
            raise Refused(msg)

    def closed(self, name: str) -> None:
        """An element ends: expat's own call, which counts."""
        self.depth -= 1
        self.end(name)

    def said(self, text: str) -> None:
        """Text between tags: expat's own call, which counts.

        Raises:
            Refused: too many characters since the last row.
        """
        self.text += len(text)
        if self.text > LONGEST_ROW:
            msg = f"a row has more than {LONGEST_ROW} characters"
            raise Refused(msg)
        self.characters(text)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins.

        Args:
            name: its namespace's URI, `}` and its name; without a namespace the name alone.
            attributes: by their names.
        """

    def end(self, name: str) -> None:
        """An element ends.

        Args:
            name: as for `start`.
        """

    def characters(self, text: str) -> None:
        """Text between tags, perhaps in several parts.

        Args:
            text: a part of it.
        """


class Parsing:
    """One document through expat.

    Attributes:
        fed: bytes of UTF-8 that it was given.
    """

    def __init__(self, handler: Handler, origin: str, encoding: str | None = None) -> None:
        """Nothing was read yet.

        Args:
            handler: takes the elements.
            origin: file, for messages.
            encoding: of bytes, whatever the document declares; None: as it declares.
        """
        self._parser, self._origin = _parser(handler, encoding), origin
        self.fed = 0

    def feed(self, piece: bytes | str) -> None:
        """The next piece; text is taken as it is, bytes by their declaration.

        Args:
            piece: cut anywhere.

        Raises:
            ProtocolError: as `fed`.
        """
        with self.refusing():
            self._parser.Parse(piece, False)  # noqa: FBT003 - expat's
            self.fed += len(piece.encode()) if isinstance(piece, str) else len(piece)
            _check_token(self.fed - max(self._parser.CurrentByteIndex, 0))

    def end(self) -> None:
        """There is no more; raises ProtocolError where the document is not whole."""
        with self.refusing():
            self._parser.Parse(b"", True)  # noqa: FBT003 - expat's

    def close(self) -> None:
        """Let go of the handler, which knows the parser: else both stay until they are looked for.

        With them stays all that a handler holds, the texts of a whole workbook.
        """
        for event in _EVENTS:
            setattr(self._parser, event, None)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Make an error of the file of what is refused of it, or is none of XML."""
        origin, parser = self._origin, self._parser
        try:
            yield
        except expat.ExpatError as error:
            why = expat.errors.messages.get(error.code, "not well formed")
            msg = f"{origin}: line {error.lineno} is no well-formed XML ({why})"
            raise ProtocolError(msg) from None
        except (ValueError, LookupError):  # an encoding that expat does not know
            msg = f"{origin}: the encoding that the document declares is not read"
            raise ProtocolError(msg) from None
        except Refused as error:
            msg = f"{origin}: line {parser.CurrentLineNumber}: {error}"
            raise ProtocolError(msg) from None


def fed(
    handler: Handler,
    data: Generator[bytes, None, None] | Generator[str, None, None],
    origin: str,
    ready: Callable[[], list[T]],
) -> Generator[list[T], None, None]:
    """What the handler has made of each piece; text is taken as it is, bytes by their declaration.

    Args:
        handler: takes the elements.
        data: the document, piece by piece; closed at the end, however that comes.
        origin: file, for messages.
        ready: gives what is made and not given yet.

    Raises:
        ProtocolError: not well formed, not whole, with a document type, or of a shape that is
            refused; names the line.
    """
    with closing(Parsing(handler, origin)) as parsing:
        with closing(data):
            for piece in data:
                parsing.feed(piece)
                if found := ready():
                    yield found
        parsing.end()
        if found := ready():
            yield found


_EVENTS = (
    "StartDoctypeDeclHandler",
    "XmlDeclHandler",
    "StartElementHandler",
    "EndElementHandler",
    "CharacterDataHandler",
)
"""What expat tells."""


def _check_token(length: int) -> None:
    if length > LONGEST_TOKEN:
        msg = "a tag in it has no end"
        raise Refused(msg)


def _parser(handler: Handler, encoding: str | None) -> Any:  # noqa: ANN401 - expat's has no name
    parser = expat.ParserCreate(encoding, SEPARATOR)
    parser.buffer_text = True
    calls = (refuse_doctype, handler.declared, handler.opened, handler.closed, handler.said)
    for event, call in zip(_EVENTS, calls, strict=True):
        setattr(parser, event, call)
    handler.here = lambda: int(parser.CurrentByteIndex)
    return parser


def is_name(text: str) -> bool:
    """Whether a text is the name of an element, without a prefix."""
    parser, found = expat.ParserCreate(), list[str]()
    parser.StartElementHandler = lambda name, _: found.append(name)
    try:
        parser.Parse(f"<{text}/>", True)  # noqa: FBT003 - expat's
    except (expat.ExpatError, ValueError):
        return False
    return found == [text] and ":" not in text


def refuse_doctype(*_: object) -> None:
    """Refuse a document type, with which entities come."""
    msg = "a document type (DOCTYPE) stands in it; with it come entities, and it is not read"
    raise Refused(msg)
