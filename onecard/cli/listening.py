"""Where a resident process listens, as the command line says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.base.endpoints import FORM, Endpoint
from onecard.base.settings import PROXIES
from onecard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

Metrics = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT", help="Where Prometheus gets its figures (/metrics); default: nowhere."
    ),
]


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


@contextmanager
def opened_with_figures(
    places: tuple[Endpoint, Endpoint | None],
    app: FastAPI,
    page: Callable[[], FastAPI],
    proxies: Sequence[str],
) -> Iterator[str]:
    """An application and the page of its figures, served while the block runs.

    Args:
        places: of `--listen`, and of `--metrics`; None: nobody asks for figures.
        app: what is served.
        page: makes the page of its figures.
        proxies: addresses and networks that are believed where a call comes from.

    Yields:
        Where they are, as a sentence goes on.

    Raises:
        ConfigError: nothing can listen there.
    """
    door, figures = places
    with ExitStack() as stack:
        said = stack.enter_context(opened("--listen", door, app, proxies))
        if figures is not None:
            address = stack.enter_context(opened("--metrics", figures, page()))
            said = f"{said}; its figures are at {address}"
        yield said
