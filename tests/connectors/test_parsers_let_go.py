"""A handler and its parser know each other, and still nothing of a document stays behind it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from connectors.common import xml_stream
from connectors.common.xml_cut import CutDocument
from connectors.common.xml_stream import Handler
from onecard.errors import ProtocolError

WHOLE, BROKEN = b"<a><b>1</b></a>", b"<a><b>1</b>"


class Nothing(Handler):
    """Takes elements and keeps none."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """One begins."""

    def end(self, name: str) -> None:
        """One ends."""


@contextmanager
def nobody_looks() -> Iterator[None]:
    """No collector of garbage runs, so that what is not let go of stays."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def pieces(text: bytes) -> Generator[bytes, None, None]:
    yield text


def streamed(text: bytes, *, upto: int) -> weakref.ref[Handler]:
    handler = Nothing()
    found = xml_stream.fed(handler, pieces(text), "f.xml", lambda: [1])
    for _ in range(upto):
        next(found)
    found.close()
    return weakref.ref(handler)


def cut(text: bytes) -> weakref.ref[Handler]:
    handler = Nothing()
    with CutDocument(handler, pieces(text), "b", "f.xml") as document:
        while document.read_on():
            pass
    return weakref.ref(handler)


def test_a_document_that_was_read_to_its_end_is_gone() -> None:
    with nobody_looks():
        assert streamed(WHOLE, upto=2)() is None
        assert cut(WHOLE)() is None


def test_so_is_one_that_nobody_reads_on() -> None:
    with nobody_looks():
        assert streamed(WHOLE, upto=1)() is None


@pytest.mark.parametrize("way", ["streamed", "cut"])
def test_so_is_one_that_is_broken(way: str) -> None:
    alive: list[weakref.ref[Handler]] = []

    class Watched(Nothing):
        def __init__(self) -> None:
            super().__init__()
            alive.append(weakref.ref(self))

    def read() -> None:
        if way == "cut":
            with CutDocument(Watched(), pieces(BROKEN), "b", "f.xml") as document:
                while document.read_on():
                    pass
        else:
            list(xml_stream.fed(Watched(), pieces(BROKEN), "f.xml", list))

    with nobody_looks():
        with pytest.raises(ProtocolError) as refused:
            read()
        del refused
        assert alive[0]() is None
