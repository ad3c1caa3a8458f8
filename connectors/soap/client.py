"""One SOAP call: POST, and the answer as a private copy that is read piece by piece."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar, cast

import requests

from connectors.http.body import pieces
from connectors.http.client import HttpClient
from connectors.soap.message import message
from connectors.soap.options import SoapSource
from connectors.soap.security import MessageToken
from connectors.soap.wsdl import Service
from onecard.base.connections import Connection
from onecard.errors import ProtocolError, unwritten

READ = (200, 400, 500)
"""Statuses whose bodies are read: faults come with the two others (SOAP 1.2 part 2, 7.5.2.2)."""
IN_MEMORY = 4 * 1024**2
"""Bytes of an answer from which on it lies on disk, in a file without a name."""
XML = frozenset({"text/xml", "application/soap+xml", "application/xml"})
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Copy:
    """A reply whose body was copied; whoever takes it closes it."""

    status_code: int
    headers: Mapping[str, str]
    body: BinaryIO


def copied(reply: requests.Response, timeout_s: float, limit: int) -> Copy:
    """Read a streamed reply to its end.

    Args:
        reply: streamed.
        timeout_s: for one read.
        limit: bytes that it may unpack to.

    Raises:
        ReplyTooLarge: it unpacks to more.
        requests.RequestException: it drips, breaks off or cannot be unpacked.
        StorageError: there is no room for it.
    """
    if reply.status_code not in READ:
        reply.close()
        return Copy(reply.status_code, reply.headers, io.BytesIO())
    made = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by whoever takes it
    body = cast("BinaryIO", made)
    try:
        for piece in pieces(reply, timeout_s, limit):
            _write(body, piece)
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return Copy(reply.status_code, reply.headers, body)


def _write(body: BinaryIO, piece: bytes) -> None:
    try:
        body.write(piece)
    except OSError as error:
        what = "a copy of an answer"
        raise unwritten(what, error) from None


class SoapClient(HttpClient[Copy]):
    """Calls one operation of a web service through one HTTP session."""

    def __init__(
        self, connection: Connection, options: SoapSource, service: Service, what: str
    ) -> None:
        """Take a session that waits, or open one.

        Args:
            connection: of the service.
            options: how its calls are made.
            service: the operation.
            what: dataset or connection, for messages.
        """
        super().__init__(connection, options, what, partial(copied, limit=options.max_bytes))
        self._service = service
        if options.security is not None:
            self._auth = MessageToken(connection, options.security)

    def ask(self, params: Mapping[str, str], parse: Callable[[Copy, str], Parsed]) -> Parsed:
        """Call the operation.

        Args:
            params: of the request, by dotted paths.
            parse: makes something of an answer in XML; closes it, at once or later.

        Raises:
            SourceUnavailable: down, or still busy after the last attempt.
            ConfigError: the request does not fit the WSDL, the login is refused (401, 403), the
                server's certificate is not trusted, or the address is none.
            ProtocolError: another status, no XML, or parts beside it.
        """
        body = message(self._service, params)

        def checked(reply: Copy, where: str) -> Parsed:
            try:
                self._check(reply, where)
            except BaseException:
                reply.body.close()
                raise
            return parse(reply, where)

        headers = self._service.headers
        return self.called(checked, "POST", self._service.path, data=body, headers=headers)

    def _check(self, reply: Copy, where: str) -> None:
        """Refuse what no envelope can be read of."""
        self.check_status(reply, where, READ)
        told = reply.headers.get("Content-Type", "")
        kind, _, more = told.partition(";")
        kind = kind.strip().lower()
        if kind.startswith("multipart/"):
            msg = (
                f"{where}: answered in several parts (attachments, MTOM), which are not read; ask"
                " the service for plain XML"
            )
            raise ProtocolError(msg)
        if kind not in XML:
            self.check_status(reply, where)
            msg = f"{where}: answered {kind or 'no content type'} instead of XML"
            raise ProtocolError(msg)
        charset = more.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            msg = f"{where}: answered in another encoding than UTF-8"
            raise ProtocolError(msg)
