"""What all doors have in common: an application with nothing in it, headers, bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from onecard.base.extras import extra
from onecard.daemon.refusals import Refusals

with extra("live"):
    from fastapi import FastAPI

MOST_HEADER_BYTES = 8192
"""Names and values of all headers of a call."""
FIXED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of every answer."""


def bare_app(refusals: Refusals) -> FastAPI:
    """An application that answers nothing yet, describes nothing by itself, and never redirects.

    Args:
        refusals: said when it ends.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        refusals.say()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app
