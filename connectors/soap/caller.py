"""An operation of a web service: it is called, and its answers are taken apart."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from typing import TypeVar

from connectors.common.xml_rows import Record
from connectors.http.pages import check_success
from connectors.soap.client import Copy, SoapClient
from connectors.soap.envelope import Envelope, records
from connectors.soap.faults import error_of
from connectors.soap.options import SoapSource
from connectors.soap.page import Answer, XmlPage
from connectors.soap.wsdl import contracts_folder, service
from onecard.base.connections import Connection
from onecard.errors import ProtocolError

Parsed = TypeVar("Parsed")


class SoapCaller:
    """Calls one operation.

    Attributes:
        place: the operation, for messages.
        rows: where the rows stand in an answer, in words that follow `no`.
    """

    def __init__(self, connection: Connection, options: SoapSource, what: str) -> None:
        """Find the operation; nothing is called yet.

        Args:
            connection: of the service.
            options: WSDL, operation, and where things stand in its answer.
            what: dataset or connection, for messages.

        Raises:
            ConfigError: the WSDL is none, or has no such operation.
        """
        found = service(options, contracts_folder())
        self._connection, self._options = connection, options
        self._encoded = found.operation.style == "rpc"
        self._client = SoapClient(connection, options, found, what)
        self._where = f"{what} at {options.operation}"
        self.place = options.operation
        self.rows = f"element {options.around}, in which rows would be"

    def close(self) -> None:
        """Let the session wait for its next use, or close it where nobody keeps any."""
        self._client.close()

    def ask(self, params: Mapping[str, str], parse: Callable[[Copy, str], Parsed]) -> Parsed:
        """Call the operation; raises as `SoapClient.ask`.

        Args:
            params: of the request, by dotted paths.
            parse: makes something of an answer in XML; closes it, at once or later.
        """
        return self._client.ask(params, parse)

    def taken(self, params: Mapping[str, str]) -> tuple[Copy, str]:
        """Call the operation; the answer, and the words for messages beside it.

        Args:
            params: of the request, by dotted paths.
        """
        return self._client.ask(params, lambda copy, where: (copy, where))

    def envelope(self) -> Envelope:
        """What takes one answer apart."""
        return Envelope(self._options, encoded=self._encoded)

    def records(
        self, copy: Copy, where: str, envelope: Envelope
    ) -> Generator[list[Record], None, None]:
        """The rows of an answer, by path; a fault is an error, whatever its status.

        Args:
            copy: the answer.
            where: for messages.
            envelope: takes it apart.

        Raises:
            OnecardError: a fault (`faults`), or no envelope of the declared version.
        """
        found = records(copy.body, envelope, where)
        if copy.status_code == 200:
            yield from found
        else:
            _read_fault(found, envelope)
        if envelope.fault is not None:
            raise error_of(envelope.fault, where, self._connection.id)
        self._client.check_status(copy, where)

    def check(self, envelope: Envelope) -> None:
        """After the last row: did the answer say what it must, and have a place for rows?

        Args:
            envelope: that took it apart.

        Raises:
            ProtocolError: it did not.
        """
        answer = Answer(envelope.values, XmlPage(()) if envelope.around else None)
        check_success(answer, self._options, self._where)
        if answer.rows is None:
            msg = f"{self._where}: its reply has no {self.rows}"
            raise ProtocolError(msg)

    def sample(self, params: Mapping[str, str], most: int) -> list[Record]:
        """The first rows of one answer, by path.

        Args:
            params: of the request, by dotted paths.
            most: so many at most.
        """
        copy, where = self.taken(params)
        envelope = self.envelope()
        with copy.body, closing(self.records(copy, where, envelope)) as found:
            rows = list(islice(chain.from_iterable(found), most))
        if len(rows) < most:  # it was read to its end
            self.check(envelope)
        return rows


def _read_fault(found: Iterator[list[Record]], envelope: Envelope) -> None:
    """Look for a fault; what comes with another status and is no envelope is judged by it."""
    try:
        for _ in found:
            pass
    except ProtocolError:
        if envelope.is_foreign:  # no matter of time: the declared version is wrong
            raise
