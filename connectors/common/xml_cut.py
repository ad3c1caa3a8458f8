"""XML without the elements that somebody else takes: what is left of it goes through expat.

An element that is whole and well formed by itself can be cut out of a document: what is left is
well formed exactly where the whole is. So who proves elements right from their bytes (a compiled
scanner) takes those, and expat sees the others, what stands around them, and the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Protocol, Self, TypeVar

from connectors.common.xml_stream import LONGEST_ROW, Handler, Parsing
from onecard.errors import ProtocolError

R_contra = TypeVar("R_contra", contravariant=True)
P_co = TypeVar("P_co", covariant=True)
R = TypeVar("R")
P = TypeVar("P")

PIECE = 1 << 22
"""Bytes of a document that are held at once."""
MOST_AT_ONCE = 256
"""Elements that expat is given at once; where one is odd the next ones often are."""
_OPENING = re.compile(rb"<([^<>/!?\s]++)[^<>]*+>\s*+\Z")
"""A start tag behind which nothing stands; without steps back, as a name may have any length."""


class CutDocument:
    """A document, read as far as its next element.

    Attributes:
        data: the piece of it that is held.
        at: place in it up to which everything is read.
        between: an element may begin at this place, and none is open: it may be cut out.
        is_cut: whether anybody takes elements; else expat is given large pieces.
        last_fed: what expat was given last.
        refusing: makes an error of the file of what is refused of it.
    """

    def __init__(
        self,
        handler: Handler,
        pieces: Generator[bytes, None, None],
        element: str,
        origin: str,
        *,
        decoded: bool = False,
    ) -> None:
        """Nothing was read yet.

        Args:
            handler: takes the elements that are not cut out, and says where these may stand.
            pieces: the document.
            element: name of the elements that may be cut out.
            origin: file, for messages.
            decoded: the pieces are UTF-8, whatever the document declares.
        """
        self._handler, self._pieces, self._decoded = handler, pieces, decoded
        self._parsing = Parsing(handler, origin, "utf-8" if decoded else None)
        self.refusing = self._parsing.refusing
        self._first = re.compile(b"<" + re.escape(element.encode()) + rb"[\s/>]")
        self._last = f"</{element}>".encode()
        self.data, self.at, self.between, self.last_fed = b"", 0, False, b""
        self.is_cut = True
        self._begun = self._whole = self._ended = False
        self._at_once, self._lines = 1, 0
        self._broken: ProtocolError | None = None

    def __enter__(self) -> Self:
        """The pieces are closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """However that comes."""
        self.close()

    def close(self) -> None:
        """No more is read."""
        with closing(self._pieces), closing(self._parsing):
            self.data = self.last_fed = b""

    def took(self, at: int, lines: int) -> None:
        """Elements were cut out up to a place.

        Args:
            at: the place in the data.
            lines: line feeds among them.
        """
        if at > self.at:
            self._at_once, self._handler.text = 1, 0
        self.at = at
        self._lines += lines

    def is_whole(self) -> bool:
        """Whether the next element ends in the piece that is held."""
        return self.data.find(self._last, self.at) >= 0

    def ends_held(self) -> int:
        """How many ends of elements stand in the piece that is held."""
        return self.data.count(self._last, self.at)

    def more(self) -> bool:
        """Hold more; False where there is no more, or more than one element may have waits."""
        if len(self.data) - self.at > LONGEST_ROW:
            return False
        held, waiting = [self.data[self.at :]], PIECE
        try:
            while waiting > 0 and (piece := next(self._pieces, None)) is not None:
                held.append(piece)
                waiting -= len(piece)
        except ProtocolError as error:  # after what is wrong before it
            self._broken = error
        if len(held) == 1:
            return False
        self.data, self.at = b"".join(held), 0
        return True

    def read_on(self) -> bool:
        """Give expat what comes next; False where the document has ended.

        Raises:
            ProtocolError: not well formed or not whole, or the pieces' own.
        """
        if self.at == len(self.data) and not self.more():
            if self._broken is not None:
                raise self._broken
            if not self._ended:
                self._ended = True
                self._parsing.end()
            return False
        if self._whole:
            self._feed(len(self.data))
        elif self._begun:
            self._feed(self._next_end())
        else:
            self._begin()
        return True

    def _begin(self) -> None:
        """Up to the first element that may be cut out; where it is in doubt, none is."""
        while (first := self._first.search(self.data, self.at)) is None and self.more():
            pass
        end = first.start() if first else len(self.data)
        head = self.data[self.at : end]
        self._feed(end)
        handler = self._handler  # the head is the document's, so places in it are expat's
        tag = _OPENING.match(head, handler.around_at) if handler.around_at >= 0 else None
        self._begun = True
        self.between = (
            tag is not None
            and b":" not in tag[1]
            and (self._decoded or handler.encoding == "utf-8")
            and handler.is_between()
        )
        self._whole = not self.between

    def _next_end(self) -> int:
        """Where the next elements end: of those behind one another more and more."""
        while not self.is_whole() and self.more():
            pass
        if not (self.between and self.is_cut):
            place = self.data.rfind(self._last, self.at)
            return place + len(self._last) if place >= 0 else len(self.data)
        end = self.at
        for _ in range(self._at_once):
            place = self.data.find(self._last, end)
            if place < 0:
                break
            end = place + len(self._last)
        self._at_once = min(2 * self._at_once, MOST_AT_ONCE)
        return end if end > self.at else len(self.data)

    def _feed(self, end: int) -> None:
        piece, self.at = self.data[self.at : end], end
        self.last_fed = piece
        if self._lines:
            self._feed_lines()
        self._parsing.feed(piece)
        last = self._parsing.fed - len(self._last)
        self.between = (
            not self._whole
            and piece.endswith(self._last)
            and self._handler.ended_at == last
            and self._handler.is_between()
        )

    def _feed_lines(self) -> None:
        """Line feeds of elements that were cut out, as messages name lines; no row's text."""
        lines, self._lines, held = self._lines, 0, self._handler.text
        for start in range(0, lines, PIECE):
            self._parsing.feed(b"\n" * min(PIECE, lines - start))
            self._handler.text = held


class CutOut(Protocol[R_contra, P_co]):
    """Elements of a document that are read and not given yet."""

    @property
    def full(self) -> bool:
        """Whether no more have room."""

    def can_scan(self) -> bool:
        """Whether elements that stand here may be cut out."""

    def is_of_this_piece(self) -> bool:
        """Whether those that are held stand in the piece of the document that is held."""

    def scan(self) -> None:
        """Cut elements out as far as they are plain."""

    def leave_out(self, element: R_contra) -> None:
        """Take one that was not.

        Args:
            element: as expat's handler has made it.
        """

    def given(self) -> Iterable[P_co]:
        """All of them, where there are any; none are held then."""


def given(
    document: CutDocument, held: CutOut[R, P], ready: Callable[[], Iterable[R]]
) -> Generator[P, None, None]:
    """All elements in their order, one or more times for each piece of the document.

    Args:
        document: anywhere outside of its elements.
        held: takes the elements.
        ready: gives those that expat's handler has made.

    Raises:
        ProtocolError: not well formed, not whole, or of a shape that is refused.
    """
    left = True
    while True:
        for element in ready():
            if held.full:
                yield from held.given()
            held.leave_out(element)
        if not left:
            break
        if document.between and held.can_scan():
            if not held.is_of_this_piece():
                yield from held.given()
            held.scan()
            if held.full or not document.is_whole():
                yield from held.given()
                if document.is_whole() or document.more():
                    continue
        left = document.read_on()
    yield from held.given()
