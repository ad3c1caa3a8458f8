"""The door for agencies that bring: HTTP in front; nothing unproved is written, nothing is logged.

docs/bringing.md is for those who bring.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from onecard.base.endpoints import is_here
from onecard.base.extras import extra
from onecard.daemon.codes import Code
from onecard.daemon.front import FIXED, MOST_HEADER_BYTES, bare_app
from onecard.daemon.proving import Proof, Prover
from onecard.daemon.readiness import Readiness
from onecard.daemon.refusals import Refusals
from onecard.errors import NO_ROOM, OnecardError
from onecard.ingest import announced, codes, openapi
from onecard.ingest.announced import Announced
from onecard.ingest.answer import Answer, of_record
from onecard.ingest.receiving import HeldPart, TooMuch, receive
from onecard.ingest.service import Service
from onecard.model.uploads import Upload

with extra("live"):
    from fastapi import FastAPI, Request
    from fastapi.responses import Response
    from starlette.requests import ClientDisconnect

PATIENCE_S = 25.0
"""An upload that is not judged by then is answered with `codes.JUDGING`."""
JUDGES = 2
"""Uploads that are judged at once."""
READ = (codes.TAKEN, codes.PART, codes.JUDGING)
"""Codes of answers that follow the whole body of a call."""

T = TypeVar("T")
log = logging.getLogger(__name__)


def create_app(
    service: Service, prover: Prover | None = None, answered: Counter[str] | None = None
) -> FastAPI:
    """The application; `onecard.daemon.serving` runs it.

    Args:
        service: takes uploads.
        prover: judges signatures; default: one with the rules of the house.
        answered: counts answers to calls by their codes.
    """
    counted = Counter[str]() if answered is None else answered
    door = _Door(service, prover or Prover(service.callers), counted)
    app = bare_app(door.refusals)
    one = "/ingest/{agency}/{dataset}"
    for path, methods, view in (
        (one, ["POST"], door.bring),
        (one + "/{upload}", ["GET", "HEAD"], door.ask),
        ("/ingest/openapi.json", ["GET"], _described),
        ("/healthz", ["GET"], _alive),
        ("/readyz", ["GET"], door.ready),
    ):
        app.router.add_route(path, view, methods=methods)
    app.add_exception_handler(Exception, door.failed)
    app.add_exception_handler(404, partial(door.missing, codes.NO_SUCH_PATH))
    app.add_exception_handler(405, partial(door.missing, codes.NO_SUCH_METHOD))
    return app


class _Door:
    """The views, and what they share; all on one event loop."""

    def __init__(self, service: Service, prover: Prover, answered: Counter[str]) -> None:
        self._service, self._prover, self._answered = service, prover, answered
        self._readiness = Readiness(service.ready)
        self._judges = ThreadPoolExecutor(JUDGES, thread_name_prefix="judge")
        self.refusals = Refusals()

    async def bring(self, request: Request) -> Response:
        """Take a part of an upload, and judge what is whole."""
        try:
            answer = await self._brought(request)
        except OnecardError as error:
            log.warning("an upload cannot be taken: %s", error)
            answer = Answer(codes.UNAVAILABLE)
        except OSError as error:
            log.warning("an upload cannot be written (%s)", errno.errorcode.get(error.errno or 0))
            answer = Answer(codes.NO_ROOM if error.errno in NO_ROOM else codes.UNAVAILABLE)
        except ClientDisconnect:
            answer = Answer(codes.SLOW)  # nobody reads it
        response = self._response(answer)
        if answer.code not in READ:
            response.headers["Connection"] = "close"  # what was announced may not have been read
        return response

    async def ask(self, request: Request) -> Response:
        """How much of an upload is there, and what became of it."""
        refused = _refused_unread(request)
        if refused is not None:
            return self._response(Answer(refused))
        dataset, path = _dataset(request), _path(request)
        proof = self._proved(request, dataset, announced.signed(path))
        if proof.caller is None:
            return self._response(_unproved(proof))
        try:
            answer = await _beside(self._asked, dataset, request.path_params["upload"])
        except OnecardError as error:
            log.warning("an upload cannot be told of: %s", error)
            answer = Answer(codes.UNAVAILABLE)
        return self._response(answer)

    async def ready(self, _request: Request) -> Response:
        """Whether uploads are taken; why not, strangers are not told."""
        ready = await self._readiness()
        return _json({"ready": ready}, 200 if ready else 503)

    async def missing(self, code: Code, _request: Request, error: Exception) -> Response:
        """No such path or method."""
        response = self._response(Answer(code))
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def failed(self, _request: Request, error: Exception) -> Response:
        """A defect of ours: by its type only."""
        log.warning("the door failed (%s)", type(error).__name__)
        return self._response(Answer(codes.UNAVAILABLE))

    async def _brought(self, request: Request) -> Answer:
        """The answer to a part."""
        announcement = self._announcement(request)
        if isinstance(announcement, Answer):
            return announcement
        part, caller = announcement
        begun = await _beside(self._service.begin, part, caller)
        if isinstance(begun, Answer):
            return begun
        if begun.state != "open":
            return of_record(begun, begun.length)
        path = await _beside(self._service.part, begun)
        held = await _beside(HeldPart, path)
        judged: Future[Answer] | None = None
        try:
            answer, whole = await self._taken(request, part, begun, held)
            if whole:  # who judges it lets go of it
                judged = self._judges.submit(self._finished, begun, held)
        finally:
            if judged is None:
                held.close()
        return answer if judged is None else await _patiently(judged)

    def _announcement(self, request: Request) -> tuple[Announced, str] | Answer:
        """Which part comes and whose it is, before a byte of it is read; or why it is refused."""
        refused = _refused_unread(request)
        if refused is not None:
            return Answer(refused)
        dataset = _dataset(request)
        part = announced.read(dataset, request.headers.items())
        if part is None:
            return Answer(codes.MALFORMED)
        proof = self._proved(request, dataset, announced.signed(_path(request), part))
        if proof.caller is None:
            return _unproved(proof)
        if _promised(request) > part.upload.length - part.offset:
            return Answer(codes.BODY)
        return part, proof.caller.agency

    async def _taken(
        self, request: Request, part: Announced, upload: Upload, held: HeldPart
    ) -> tuple[Answer, bool]:
        """The part's bytes on disk; and whether the upload is whole now."""
        if held.descriptor is None:
            return Answer(codes.IN_HAND), False
        there = await _beside(self._service.standing, upload)
        if isinstance(there, Answer):
            return there, False
        if there != part.offset:
            return Answer(codes.OFFSET, there), False
        if not await _beside(self._service.has_room, upload, there):
            return Answer(codes.NO_ROOM, there), False
        code = codes.PART
        try:
            there = await receive(held, request.stream(), there, upload.length)
        except TimeoutError:
            code, there = codes.SLOW, await _beside(self._service.received, upload)
        except TooMuch:
            code, there = codes.BODY, await _beside(self._service.received, upload)
        told = {"upload": upload.upload, "received": there, "length": upload.length}
        return Answer(code, there, told), code is codes.PART and there == upload.length

    def _finished(self, upload: Upload, held: HeldPart) -> Answer:
        """On a thread of its own; the part is let go of at the end, whoever still waits for it."""
        try:
            assert held.descriptor is not None  # noqa: S101 - its bytes were written by it
            return self._service.finish(upload, held.descriptor)
        finally:
            held.close()

    def _asked(self, dataset: str, upload: str) -> Answer:
        form = announced.FORMS[announced.ID]
        found = self._service.find(dataset, upload) if form.fullmatch(upload) else None
        if found is None:
            return Answer(codes.NO_SUCH_UPLOAD)
        return of_record(found, self._service.received(found))

    def _proved(self, request: Request, dataset: str, more: bytes) -> Proof:
        address = request.client.host if request.client else ""
        return self._prover.judge(address, dataset, request.headers.items(), more)

    def _response(self, answer: Answer) -> Response:
        code = answer.code
        self._answered[code.code] += 1
        if code.status >= 400:
            self.refusals.count(code.code)
        response = _json({"code": code.code, **answer.content}, code.status)
        if answer.received is not None:
            response.headers[announced.OFFSET] = str(answer.received)
        if retry := answer.retry_s or code.retry_s:
            response.headers["Retry-After"] = str(math.ceil(retry))
        if code.status == 401:
            response.headers["WWW-Authenticate"] = "Platform-Signature"
        return response


async def _beside(function: Callable[..., T], *values: Any) -> T:  # noqa: ANN401 - as the function's
    """What a function gives that may wait for disk or database, on a thread beside the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, partial(function, *values))


async def _patiently(judged: Future[Answer]) -> Answer:
    """The outcome, if it comes in time; else that it is still being found."""
    judged.add_done_callback(_said)
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(judged)), PATIENCE_S)
    except TimeoutError:
        return Answer(codes.JUDGING)


def _said(judged: Future[Answer]) -> None:
    """Say why an upload could not be judged; whoever brings it tries again."""
    error = judged.exception()
    if error is not None:
        text = str(error) if isinstance(error, OnecardError) else type(error).__name__
        log.warning("an upload could not be judged: %s", text)


def _unproved(proof: Proof) -> Answer:
    return Answer(codes.UNPROVED[proof.reason], retry_s=proof.retry_s)


def _refused_unread(request: Request) -> Code | None:
    """What is refused by its form alone."""
    headers = request.headers.items()
    if sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
        return codes.HEADERS
    if request.url.query:
        return codes.NO_SUCH_PATH
    if request.url.scheme != "https" and not is_here(request.client.host if request.client else ""):
        return codes.IN_CLEAR
    return codes.BODY if "content-encoding" in request.headers else None


def _promised(request: Request) -> int:
    """Bytes that `Content-Length` promises; 0 where it says nothing."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _dataset(request: Request) -> str:
    return f"{request.path_params['agency']}/{request.path_params['dataset']}"


def _path(request: Request) -> str:
    return str(request.scope["raw_path"].decode("latin-1"))


async def _described(_request: Request) -> Response:
    """The OpenAPI document."""
    return _json(openapi.document(), 200)


async def _alive(_request: Request) -> Response:
    """The process lives."""
    return _json({"alive": True}, 200)


def _json(content: dict[str, Any], status: int) -> Response:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status, FIXED, "application/json")
