"""The door of the service: HTTP in front, and nothing of what a call says behind it but its answer.

docs/asking.md is for those who call.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from onecard.base.extras import extra
from onecard.daemon.codes import Code
from onecard.daemon.front import FIXED, MOST_HEADER_BYTES, bare_app
from onecard.daemon.readiness import Readiness
from onecard.daemon.refusals import Refusals
from onecard.model.call_figures import QUANTILES, together
from onecard.serve import codes, openapi
from onecard.serve.calls import MOST_BODY_BYTES, Call
from onecard.serve.case import Reply
from onecard.serve.gatekeeper import Gatekeeper, Proved
from onecard.serve.residents import ResidentCall
from onecard.serve.service import Service

with extra("serve"):
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

BODY_S = 5.0
"""A body that is not whole by then is not waited for."""
PATIENCE_S = 20.0
"""A call that is not answered by then is told to come again; its answer may be on record."""
STEP_S = 0.025
"""Answers that say nothing of a person leave at whole steps after the call came, so that the time
does not tell why: at the first that the slowest answers of late have kept."""
EASING = 0.97
"""With each answer the time of the slowest is remembered as this share of itself: half after 23."""
LONGEST_PACE_S = 0.25
"""One call that took longer delays no other beyond this."""

log = logging.getLogger(__name__)


def create_app(service: Service, gatekeeper: Gatekeeper | None = None) -> FastAPI:
    """The application; `onecard.daemon.serving` runs it.

    Args:
        service: answers calls.
        gatekeeper: judges signatures; default: one with the rules of the house.
    """
    door = _Door(service, gatekeeper or Gatekeeper(service.keys))
    app = bare_app(door.refusals)
    for path, method, view in (
        ("/v1/{agreement}/query", "POST", partial(door.ask, verb="query")),
        ("/v1/{agreement}/verify", "POST", partial(door.ask, verb="verify")),
        ("/v1/disclosures", "POST", door.disclosures),
        ("/v1/openapi.json", "GET", door.described),
        ("/v1/health", "GET", door.health),
        ("/healthz", "GET", _alive),
        ("/readyz", "GET", door.ready),
    ):
        app.router.add_route(path, view, methods=[method])
    app.add_exception_handler(Exception, door.failed)
    app.add_exception_handler(404, partial(door.missing, codes.NO_SUCH_PATH))
    app.add_exception_handler(405, partial(door.missing, codes.NO_SUCH_METHOD))
    return app


class _Door:
    """The views, and what they share; all on one event loop."""

    def __init__(self, service: Service, gatekeeper: Gatekeeper) -> None:
        self._service, self._gatekeeper = service, gatekeeper
        self._readiness = Readiness(service.ready)
        self._replies, self._pace = _Replies(), _Pace()
        self.refusals = Refusals()

    async def ask(self, request: Request, verb: Any) -> Response:  # noqa: ANN401 - a `Verb`
        """Answer a call about one person."""
        loop, agreement = asyncio.get_running_loop(), request.path_params["agreement"]
        came = loop.time()
        taken = await self._taken(request)
        if isinstance(taken, Code):
            return self._refused(taken)
        proved, body = taken
        host, secure = _channel(request)
        call = Call(
            sid=proved.sid,
            system=proved.system,
            agreement=agreement,
            verb=verb,
            body=body,
            digest=proved.digest,
            rid=proved.rid,
            host=host,
            secure=secure,
        )
        reply = await self._reply(call)
        if reply.code is codes.ANSWERED:
            spent = loop.time() - came
            leaves = self._pace.after(spent)
            if not reply.found:
                await asyncio.sleep(leaves - spent)
        if reply.body is None:
            return self._refused(reply.code, proved.sid, agreement)
        if not proved.system.sandbox:  # a call for nobody is no figure of the agreement's
            took = loop.time() - came
            self._service.figures.answered(agreement, proved.sid, took, found=reply.found)
        return self._answer(reply)

    async def disclosures(self, request: Request) -> Response:
        """Tell a resident what became of their data."""
        loop = asyncio.get_running_loop()
        came = loop.time()
        taken = await self._taken(request)
        if isinstance(taken, Code):
            return self._refused(taken)
        proved, body = taken
        call = ResidentCall(proved, body, *_channel(request))
        reply = await loop.run_in_executor(None, self._service.disclosures, call)
        if reply.body is None:
            return self._refused(reply.code, proved.sid)
        self._service.figures.answered("", proved.sid, loop.time() - came, found=reply.found)
        return self._answer(reply)

    async def described(self, _request: Request) -> Response:
        """The OpenAPI document, of the agreements that are served now."""
        return _json(openapi.document(self._service.agreements), 200)

    async def health(self, _request: Request) -> Response:
        """Operational figures of this process; nothing of any call's content, and no names."""
        ready = await self._readiness()
        answered = together(self._service.figures.since_start().answered)
        told = {
            "ready": ready,
            "answered": answered.calls,
            "refused": self.refusals.counts,
            "milliseconds": {f"p{share}": answered.quantile(share) for share in QUANTILES},
        }
        return _json(told, 200)

    async def ready(self, _request: Request) -> Response:
        """Whether calls are answered; why not, strangers are not told."""
        ready = await self._readiness()
        return _json({"ready": ready}, 200 if ready else 503)

    async def missing(self, code: Code, _request: Request, error: Exception) -> Response:
        """No such path or method."""
        response = self._refused(code)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def failed(self, _request: Request, error: Exception) -> Response:
        """A defect of ours: by its type only."""
        log.warning("the door failed (%s)", type(error).__name__)
        return self._refused(codes.UNAVAILABLE)

    async def _taken(self, request: Request) -> tuple[Proved, bytes] | Code:
        """Who calls, and the body; or why the call is not taken."""
        scope = request.scope
        sent: Sequence[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(name) + len(value) for name, value in sent) > MOST_HEADER_BYTES:
            return codes.HEADERS
        if not _bounded(sent):
            return codes.BODY
        if scope["query_string"]:
            return codes.NO_SUCH_PATH
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.body()
        except TimeoutError:
            return codes.BODY
        address, _ = _channel(request)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent]
        path = scope["raw_path"].decode("latin-1")
        found = self._gatekeeper.judge(address, path, headers, body)
        return found if isinstance(found, Code) else (found, body)

    async def _reply(self, call: Call) -> Reply:
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._service.ask(call, partial(self._replies.bring, waiting))
        try:
            async with asyncio.timeout(PATIENCE_S):  # `wait_for` would make a task of each call
                return await waiting
        except TimeoutError:
            return Reply(codes.UNAVAILABLE)

    @staticmethod
    def _answer(reply: Reply) -> Response:
        return _json({"code": reply.code.code, **(reply.body or {})}, reply.code.status)

    def _refused(self, code: Code, caller: str = "", agreement: str = "") -> Response:
        self.refusals.count(code.code)
        self._service.refused(code, caller, agreement)
        response = _json({"code": code.code}, code.status)
        if code.retry_s:
            response.headers["Retry-After"] = str(code.retry_s)
        if code is codes.NO_SUCH_METHOD:
            response.headers["Allow"] = "POST"
        if code.status == 401:
            response.headers["WWW-Authenticate"] = "Platform-Signature"
        if code in (codes.BODY, codes.HEADERS):
            response.headers["Connection"] = "close"  # what was announced is not read
        return response


class _Replies:
    """Replies on their way from the workers' threads to the event loop.

    A group's replies come together: the loop is woken once for as many as there are, for each time
    costs both threads their turn.
    """

    def __init__(self) -> None:
        self._brought: deque[tuple[asyncio.Future[Reply], Reply]] = deque()
        self._woken = False

    def bring(self, waiting: asyncio.Future[Reply], reply: Reply) -> None:
        """Bring a reply to who waits for it; from any thread."""
        self._brought.append((waiting, reply))
        if not self._woken:
            self._woken = True
            waiting.get_loop().call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        """On the event loop. What comes after the last look wakes it again."""
        self._woken = False
        while self._brought:
            waiting, reply = self._brought.popleft()
            if not waiting.done():
                waiting.set_result(reply)


class _Pace:
    """When answers leave that say nothing of a person.

    Who is found and kept back costs some milliseconds more than who is not there. On a busy machine
    the end of a step may fall between the two, and then the step would tell them apart. So not the
    call itself says which step is its own, but the slowest of those before it.
    """

    def __init__(self) -> None:
        self._slowest = 0.0

    def after(self, spent: float) -> float:
        """Seconds after it came that an answer leaves.

        Args:
            spent: seconds that it has taken.
        """
        self._slowest = max(min(spent, LONGEST_PACE_S), self._slowest * EASING)
        return math.ceil(max(spent, self._slowest) / STEP_S) * STEP_S


async def _alive(_request: Request) -> Response:
    """The process lives."""
    return _json({"alive": True}, 200)


def _channel(request: Request) -> tuple[str, bool]:
    """Where a call comes from, and whether through TLS; as the proxy of this machine says."""
    scope = request.scope
    client = scope["client"]
    return client[0] if client else "", scope["scheme"] == "https"


def _bounded(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the body is announced, as it is, and short; names are in small letters."""
    lengths = []
    for name, value in headers:
        if name in (b"transfer-encoding", b"content-encoding"):
            return False
        if name == b"content-length":
            lengths.append(value)
    if len(lengths) != 1 or not lengths[0].isdigit():
        return False
    return len(lengths[0]) <= len(str(MOST_BODY_BYTES)) and int(lengths[0]) <= MOST_BODY_BYTES


_written = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _json(content: Mapping[str, object], status: int) -> Response:
    return Response(_written(content).encode(), status, FIXED, "application/json")
