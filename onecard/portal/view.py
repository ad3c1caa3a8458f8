"""What a view and a table of routes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.responses import Response

from onecard.portal.guard import Visit

View = Callable[[Visit], Response]
Routes = tuple[tuple[str, str, View], ...]
"""Method, path and view of each route."""


def behind(visit: Any, view: View) -> Callable[[Visit], Response]:  # noqa: ANN401 - FastAPI's Depends
    """The view as a route that gets what the guard found."""

    def route(found: Visit = visit) -> Response:
        return view(found)

    return route
