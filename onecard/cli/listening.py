"""Where a resident process listens, as the command line says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onecard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

HIGHEST_PORT = 65_535


def place(text: str) -> tuple[str, int]:
    """Host and port of `--listen`.

    Raises:
        UsageError: it is not written so.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= HIGHEST_PORT):
        msg = f"--listen: write HOST:PORT, e.g. 127.0.0.1:8090, a port up to {HIGHEST_PORT}"
        raise UsageError(msg)
    return host.removeprefix("[").removesuffix("]"), int(port)


@contextmanager
def open_door(make: Callable[[], FastAPI], where: tuple[str, int]) -> Iterator[str]:
    """A door, open while the block runs; gives its address.

    Args:
        make: the application.
        where: host and port; port 0: a free one.

    Raises:
        ConfigError: nothing can listen there.
    """
    from onecard.daemon.serving import serve  # noqa: PLC0415 - needs an extra

    try:
        serving = serve(make(), *where)
    except OSError as error:
        msg = f"--listen: nothing can listen there ({error.strerror or type(error).__name__})"
        raise ConfigError(msg) from None
    try:
        yield f"http://{serving.host}:{serving.port}"
    finally:
        serving.close()
