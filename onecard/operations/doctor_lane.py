"""What `onecard doctor` asks of a live lane whose door is known."""

from __future__ import annotations

import http.client

from onecard.base.endpoints import Endpoint
from onecard.operations.check_line import CheckLine

CHECK = "live lane"
PATIENCE_S = 5.0
"""The door itself answers within two seconds, whatever the lane does."""


def ask(place: Endpoint | None) -> list[CheckLine]:
    """Whether the lane lives and can work.

    Args:
        place: of its door; None: nobody says where it is, so nothing is said of it.
    """
    if place is None:
        return []
    here = place.from_here
    connection = http.client.HTTPConnection(here.host, here.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        says = f"nobody answers at {here.url} ({type(error).__name__})"
        todo = "start `onecard live`, or correct ONECARD_LIVE_LISTEN"
        return [CheckLine(CHECK, "fail", says, todo)]
    finally:
        connection.close()
    if status == http.client.OK:
        return [CheckLine(CHECK, "ok", "ready")]
    if status == http.client.SERVICE_UNAVAILABLE:
        todo = "its log says why; a supervisor may restart it"
        return [CheckLine(CHECK, "fail", "it lives, and is not ready", todo)]
    todo = "correct ONECARD_LIVE_LISTEN"
    return [CheckLine(CHECK, "fail", f"{here.url} is no door of the lane ({status})", todo)]
