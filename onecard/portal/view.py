"""What a view and a table of routes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.responses import Response

from onecard.portal.guard import Admitted, Visit

View = Callable[[Visit], Response]
Routes = tuple[tuple[str, str, View], ...]
"""Method, path and view of each route."""


def behind(guard: Any, view: View) -> Callable[[Admitted], Response]:  # noqa: ANN401 - FastAPI's Depends
    """The view as a route; it gets what the guard has found, and runs in one thread with it.

    Args:
        guard: the dependency of the route.
        view: that answers.
    """

    def route(admitted: Admitted = guard) -> Response:
        with admitted() as visit:
            return view(visit)

    return route
