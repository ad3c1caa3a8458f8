"""Forms that carry a file: its bytes go to the disk as they come, and are gone with the answer.

What is put down has no name in any folder, and only the process can read it: it is gone with the
process, however that ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import BinaryIO

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from onecard.errors import NO_ROOM, unwritten
from onecard.portal.security import LONGEST_FORM, MOST_FIELDS

FILE = "file"
"""Name of the field that carries the file."""
MULTIPART = "multipart/form-data"

TokenCheck = Callable[[Mapping[str, str]], None]
"""Raises unless the fields of a form hold the right token."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that came with a form.

    Attributes:
        name: as its sender calls it, without folders.
        stream: its bytes, from the first.
        size: in bytes.
        copy: empty, to be written: what goes back; it is gone with the answer as well.
    """

    name: str
    stream: BinaryIO = field(repr=False)
    size: int
    copy: BinaryIO = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with a request: fields of a form, and a file where one was chosen."""

    form: Mapping[str, str] = field(default_factory=dict)
    file: SentFile | None = None


def may_carry(request: Request) -> bool:
    """Whether a form is of the kind that can carry a file."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == MULTIPART


@asynccontextmanager
async def read(request: Request, check: TokenCheck, most: int) -> AsyncIterator[Sent]:
    """Read a form with a file; nothing of it is left afterwards.

    Args:
        request: with the form.
        check: of its token: of whoever has none, no more than a form's bytes are taken.
        most: bytes that the file may have.

    Raises:
        HTTPException: 413 for more bytes, 400 for what is no such form, or as `check`.
        StorageError: there is no room for the file.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most + LONGEST_FORM:
        raise HTTPException(413, "large")

    async def pieces() -> AsyncGenerator[bytes]:
        taken = 0
        async for piece in request.stream():
            taken += len(piece)
            if taken > most + LONGEST_FORM:
                raise HTTPException(413, "large")
            yield piece
            if taken > LONGEST_FORM:  # a page puts the token before the file
                check(_texts(parser.items))

    parser = MultiPartParser(
        request.headers,
        pieces(),
        max_files=1,
        max_fields=MOST_FIELDS,
        max_part_size=LONGEST_FORM,
    )
    try:
        found = await parser.parse()
    except (MultiPartException, UnicodeError):
        raise HTTPException(400) from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = "a temporary file"
        raise unwritten(what, error) from None
    try:
        form = _texts(found.multi_items())
        check(form)
        file = found.get(FILE)
        if not isinstance(file, UploadFile) or not file.filename:  # none was chosen
            yield Sent(form)
            return
        with tempfile.TemporaryFile() as copy:
            name = PureWindowsPath(file.filename).name
            yield Sent(form, SentFile(name, file.file, file.size or 0, copy))
    finally:
        await found.close()


def _texts(items: Iterable[tuple[str, str | UploadFile]]) -> dict[str, str]:
    """Fields of a form that are no files."""
    return {name: value for name, value in items if isinstance(value, str)}
