"""The door of the live lane: agencies' signed wake-ups, and whether the lane lives and is ready.

A wake-up carries no data and says no more than that there may be news; the lane then reads by its
contract, as it does by itself every second. So a lost or refused call costs a second, and a stolen
one a look at the source. docs/waking.md is for those who call.
"""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import Protocol

from onecard.base.extras import extra
from onecard.daemon.callers import Callers
from onecard.daemon.front import FIXED, MOST_HEADER_BYTES, bare_app
from onecard.daemon.readiness import Readiness
from onecard.daemon.refusals import Refusals
from onecard.live import calls
from onecard.live.answered import Answered
from onecard.live.calls import Answer, Gatekeeper

with extra("live"):
    from fastapi import FastAPI, Request
    from fastapi.responses import Response


log = logging.getLogger(__name__)


class WakeDesk(Protocol):
    """What the door needs of the lane."""

    def wake(self, dataset: str) -> bool:
        """Have the dataset looked at; returns at once.

        Returns:
            True: the lane is woken; False: a wake-up of it waits already, or is in hand.
        """
        ...

    def ready(self) -> bool:
        """Whether database, keys and leases can be reached; may take a while."""
        ...

    def callers(self) -> Callers:
        """Who may wake what, by the catalogue as it is now; returns at once."""
        ...


def create_app(
    desk: WakeDesk, gatekeeper: Gatekeeper | None = None, answered: Answered | None = None
) -> FastAPI:
    """The application; `onecard.daemon.serving` runs it.

    Args:
        desk: the lane.
        gatekeeper: judges calls; default: one with the rules of the house.
        answered: counts the answers to calls.
    """
    door = _Door(desk, gatekeeper or Gatekeeper(desk.callers), answered or Answered())
    app = bare_app(door.refusals)
    for path, method, view in (
        ("/events/{dataset:path}", "POST", door.event),
        ("/healthz", "GET", _alive),
        ("/readyz", "GET", door.ready),
    ):
        app.add_api_route(path, view, methods=[method], response_model=None)
    app.add_exception_handler(Exception, door.failed)
    app.add_exception_handler(404, partial(door.refused, calls.NO_SUCH_PATH))
    app.add_exception_handler(405, partial(door.refused, calls.NO_SUCH_METHOD))
    return app


class _Door:
    """The views, and what they share; all on one event loop."""

    def __init__(self, desk: WakeDesk, gatekeeper: Gatekeeper, answered: Answered) -> None:
        self._desk, self._gatekeeper, self._answered = desk, gatekeeper, answered
        self._readiness = Readiness(lambda: desk.ready() and not desk.callers().unreadable)
        self._kept: set[str] = set()
        self.refusals = Refusals()

    async def event(self, request: Request, dataset: str) -> Response:
        """Wake the lane for a dataset."""
        headers = request.headers.items()
        if sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
            return self._response(calls.HEADERS)
        if _announces_body(request):
            return self._response(calls.BODY)
        address = request.client.host if request.client else ""
        answer = self._gatekeeper.judge(address, dataset, headers)
        if answer is calls.WOKEN:
            answer = self._woken(dataset)
        elif answer.code == calls.TOO_OFTEN.code:
            self._keep(dataset, answer.retry_s)
        return self._response(answer)

    async def ready(self) -> Response:
        """Whether wake-ups lead to something; why not, strangers are not told."""
        ready = await self._readiness()
        body = b'{"ready": true}' if ready else b'{"ready": false}'
        return Response(body, 200 if ready else 503, FIXED, "application/json")

    async def refused(self, answer: Answer, _request: Request, error: Exception) -> Response:
        """No such path or method; the same for every dataset."""
        response = self._response(answer)
        allowed = getattr(error, "headers", None) or {}
        response.headers.update(allowed)
        return response

    async def failed(self, _request: Request, error: Exception) -> Response:
        """A defect of ours: by its type only."""
        log.warning("the door failed (%s)", type(error).__name__)
        return self._response(calls.NOT_NOW)

    def _woken(self, dataset: str) -> Answer:
        try:
            return calls.WOKEN if self._desk.wake(dataset) else calls.WAITING
        except Exception as error:  # noqa: BLE001 - the door outlives a fault of the lane
            log.warning("%s could not be woken (%s)", dataset, type(error).__name__)
            return calls.NOT_NOW

    def _keep(self, dataset: str, seconds: float) -> None:
        """Wake later: the news of a caller that calls too often is not lost."""
        if dataset not in self._kept:
            self._kept.add(dataset)
            asyncio.get_running_loop().call_later(seconds, self._late, dataset)

    def _late(self, dataset: str) -> None:
        self._kept.discard(dataset)
        self._woken(dataset)

    def _response(self, answer: Answer) -> Response:
        headers = dict(FIXED)
        self._answered.count(answer.code)
        if answer.reason:
            self.refusals.count(answer.reason)
        if answer.retry_s:
            headers["Retry-After"] = str(math.ceil(answer.retry_s))
        if answer.status == 401:
            headers["WWW-Authenticate"] = "Platform-Signature"
        if answer in (calls.BODY, calls.HEADERS):
            headers["Connection"] = "close"  # what was announced is not read
        return Response(f'{{"code": "{answer.code}"}}', answer.status, headers, "application/json")


async def _alive() -> Response:
    """The process lives."""
    return Response(b'{"alive": true}', 200, FIXED, "application/json")


def _announces_body(request: Request) -> bool:
    lengths = request.headers.getlist("content-length")
    return "transfer-encoding" in request.headers or any(length != "0" for length in lengths)
