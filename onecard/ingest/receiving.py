"""The bytes of one part, from the connection to the disk, with all that may come bounded."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

from connectors.push.spool import held
from onecard.base import failpoints

PAUSE_S = 15.0
"""A part of which nothing comes for so long is not waited for."""
PART_S = 300.0
"""Nor one that is not whole by then; what came is kept."""
WRITTEN = 1 << 20
"""Bytes that are written at once."""


class TooMuch(Exception):
    """A part goes beyond its upload's length."""


class HeldPart:
    """The file of an upload that is coming, for this process alone until it is closed.

    Args:
        path: of the file; it is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        self.descriptor = self._stack.enter_context(held(path))
        """None: another call has it."""

    def close(self) -> None:
        """Let others have it."""
        self._stack.close()

    def write(self, data: bytes, offset: int) -> None:
        """Write bytes at their place.

        Args:
            data: what came.
            offset: of its first byte.
        """
        assert self.descriptor is not None  # noqa: S101 - who holds nothing writes nothing
        view = memoryview(data)
        while view:
            done = os.pwrite(self.descriptor, view, offset)
            view, offset = view[done:], offset + done

    def keep(self) -> None:
        """Have what was written on disk."""
        assert self.descriptor is not None  # noqa: S101 - as above
        os.fsync(self.descriptor)
        failpoints.reach("ingest.taken")


async def receive(part: HeldPart, pieces: AsyncIterator[bytes], offset: int, length: int) -> int:
    """Write what comes; returns how many bytes of the upload are there then.

    Whatever ends it, what was written is on disk.

    Args:
        part: of the upload.
        pieces: as they come.
        offset: of the first byte.
        length: of the whole upload.

    Raises:
        TimeoutError: it comes too slowly.
        TooMuch: it goes beyond the length.
        OSError: it cannot be written.
    """
    loop, waiting, end = asyncio.get_running_loop(), bytearray(), time.monotonic() + PART_S

    async def flush() -> None:
        nonlocal offset
        data = bytes(waiting)
        waiting.clear()
        await loop.run_in_executor(None, part.write, data, offset)
        offset += len(data)

    try:
        while True:
            limit = min(PAUSE_S, end - time.monotonic())
            piece = await asyncio.wait_for(anext(pieces, None), max(0.0, limit))
            if piece is None:
                break
            if offset + len(waiting) + len(piece) > length:
                raise TooMuch
            waiting += piece
            if len(waiting) >= WRITTEN:
                await flush()
    finally:
        if waiting:
            await flush()
        await loop.run_in_executor(None, part.keep)
    return offset
