"""The query and verify service as a resident process: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts, shelves
from onecard.cli import listening, output
from onecard.serve.door import create_app
from onecard.serve.service import Service

LISTENS = "127.0.0.1:8092"


def serve(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where callers' systems ask.")
    ] = LISTENS,
) -> None:
    """Answer signed calls about one person each, on record before they are answered.

    Args:
        listen: host and port (docs/asking.md); port 0: a free one.
    """
    with output.errors_as_exit_codes():
        place, service = listening.endpoint("--listen", listen), Service(Hub)
        with shelves.kept():
            try:
                service.start()
                with listening.opened("--listen", place, create_app(service)) as address:
                    agreements = len(service.agreements)
                    output.say(
                        f"serve: {agreements} agreement(s) at {address};"
                        " SIGTERM or Ctrl-C ends it after the calls in hand"
                    )
                    interrupts.told_to_end()
            finally:
                service.end()
        output.say("serve: ended")
