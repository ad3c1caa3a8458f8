"""The page that Prometheus reads of a resident process: a place of its own, beside the door.

Whoever may call the door is an agency, and the figures are the site's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from onecard.base.extras import extra

with extra("live"):
    from fastapi import FastAPI
    from fastapi.responses import Response

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus' text format."""


def figures_page(text: Callable[[], bytes]) -> FastAPI:
    """The application of `/metrics`; `onecard.daemon.serving` runs it.

    Args:
        text: gives the figures of this moment.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def page() -> Response:
        return Response(text(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)

    app.add_api_route("/metrics", page, methods=["GET"], response_model=None)
    return app


def exposed(collector: Collector) -> bytes:
    """Figures as text, with those of the process itself.

    Args:
        collector: gives them.
    """
    from prometheus_client import (  # noqa: PLC0415 - only where it is asked for
        CollectorRegistry,
        ProcessCollector,
        generate_latest,
    )

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(collector)
    return generate_latest(registry)
