"""The query and verify service as a resident process: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts, shelves
from onecard.base.settings import Settings
from onecard.cli import listening, output
from onecard.serve.door import create_app
from onecard.serve.metrics import create_page
from onecard.serve.service import Service

LISTENS = "127.0.0.1:8092"


def serve(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where callers' systems ask.")
    ] = LISTENS,
    metrics: listening.Metrics = "",
) -> None:
    """Answer signed calls about one person each, on record before they are answered.

    Args:
        listen: host and port (docs/asking.md); port 0: a free one.
        metrics: host and port of its figures (docs/monitoring.md); not for callers.
    """
    with output.errors_as_exit_codes():
        door = listening.endpoint("--listen", listen)
        page = listening.endpoint("--metrics", metrics) if metrics else None
        proxies, service = Settings.load().proxies, Service(Hub)
        with shelves.kept():
            try:
                service.start()
                app = create_app(service)
                with listening.opened_with_figures(
                    (door, page), app, lambda: create_page(service), proxies
                ) as said:
                    output.say(
                        f"serve: {len(service.agreements)} agreement(s) at {said};"
                        " SIGTERM or Ctrl-C ends it after the calls in hand"
                    )
                    interrupts.told_to_end()
            finally:
                service.end()
        output.say("serve: ended")
