"""The door for agencies that bring as a resident process: ingest."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts, shelves
from onecard.base.settings import Settings
from onecard.cli import listening, output
from onecard.ingest.door import create_app
from onecard.ingest.metrics import create_page
from onecard.ingest.service import Service

LISTENS = "127.0.0.1:8094"


def ingest(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where agencies bring.")
    ] = LISTENS,
    metrics: listening.Metrics = "",
) -> None:
    """Take what agencies bring themselves, judged at once, for the collects of their datasets.

    Args:
        listen: host and port (docs/bringing.md); port 0: a free one.
        metrics: host and port of its figures (docs/monitoring.md); not for agencies.
    """
    with output.errors_as_exit_codes():
        door = listening.endpoint("--listen", listen)
        page = listening.endpoint("--metrics", metrics) if metrics else None
        proxies, service = Settings.load().proxies, Service(Hub)
        with shelves.kept():
            try:
                service.start()
                answered = Counter[str]()
                app = create_app(service, answered=answered)
                with listening.opened_with_figures(
                    (door, page), app, lambda: create_page(answered), proxies
                ) as said:
                    output.say(
                        f"ingest: {len(service.datasets)} dataset(s) at {said};"
                        " SIGTERM or Ctrl-C ends it after the calls in hand"
                    )
                    interrupts.told_to_end()
            finally:
                service.end()
        output.say("ingest: ended")
