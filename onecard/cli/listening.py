"""Where a resident process listens, as the command line says it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onecard.base.endpoints import FORM, Endpoint
from onecard.base.settings import PROXIES
from onecard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI


def endpoint(option: str, text: str) -> Endpoint:
    """Host and port that an option names.

    Args:
        option: its name, for the message.
        text: as it was given.

    Raises:
        UsageError: they are not written so.
    """
    found = Endpoint.of(text)
    if found is None:
        msg = f"{option}: {FORM}"
        raise UsageError(msg)
    return found


@contextmanager
def opened(
    option: str, place: Endpoint, app: FastAPI, proxies: Sequence[str] = PROXIES
) -> Iterator[str]:
    """An application, served while the block runs; gives its address.

    Args:
        option: that named the place, for the message.
        place: host and port; port 0: a free one.
        app: what is served.
        proxies: addresses and networks that are believed where a call comes from.

    Raises:
        ConfigError: nothing can listen there.
    """
    from onecard.daemon.serving import serve  # noqa: PLC0415 - needs an extra

    try:
        serving = serve(app, place.host, place.port, proxies)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = f"{option}: nothing can listen there ({reason})"
        raise ConfigError(msg) from None
    try:
        yield Endpoint(serving.host, serving.port).url
    finally:
        serving.close()
