"""Reading a web service page after page, or in one answer that is never whole in memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain, islice

from connectors.common.gather import Part
from connectors.common.xml_rows import Columns, Record
from connectors.http.page import Api
from connectors.http.pages import check_success, rows_of
from connectors.http.reading import PagedReading
from connectors.soap.client import Copy, SoapClient
from connectors.soap.envelope import Envelope, records
from connectors.soap.faults import error_of
from connectors.soap.options import SoapSource
from connectors.soap.page import Answer, XmlPage
from connectors.soap.wsdl import contracts_folder, service
from onecard.base.connections import Connection
from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.errors import ProtocolError
from onecard.ports.source import ReadRequest


class SoapApi:
    """An operation as pages are asked of it; implements `connectors.http.page.Api`.

    Attributes:
        place: the operation.
        rows: where the rows stand in an answer.
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
        self.client = SoapClient(connection, options, found, what)
        self.where = f"{what} at {options.operation}"
        self.place = options.operation
        self.rows = f"element {options.around}, in which rows would be"
        self.columns: Columns | None = None

    def ask(self, params: Mapping[str, str]) -> Answer:
        """Call the operation; the page is read whole.

        Args:
            params: of the request, by dotted paths.
        """

        def read(copy: Copy, where: str) -> Answer:
            with copy.body:
                envelope = self._envelope()
                parts = tuple(self._parts(copy, where, envelope))
            return Answer(envelope.values, XmlPage(parts) if envelope.around else None)

        return self.client.ask(params, read)

    def streamed(self, params: Mapping[str, str]) -> Iterator[Part]:
        """Call the operation once; the rows as batches as they are read.

        The columns of a batch have the contract's names.

        Args:
            params: of the request, by dotted paths.
        """
        copy, where = self.client.ask(params, _taken)
        with copy.body:
            envelope = self._envelope()
            yield from self._parts(copy, where, envelope)
        answer = Answer(envelope.values, XmlPage(()) if envelope.around else None)
        check_success(answer, self._options, self.where)
        rows_of(answer, self, self.where)

    def sample(self, params: Mapping[str, str], most: int) -> list[Record]:
        """The first rows of one answer, by path.

        Args:
            params: of the request, by dotted paths.
            most: so many at most.
        """
        copy, where = self.client.ask(params, _taken)
        envelope = self._envelope()
        with copy.body, closing(self._records(copy, where, envelope)) as found:
            rows = list(islice(chain.from_iterable(found), most))
        if len(rows) < most:  # it was read to its end
            answer = Answer(envelope.values, XmlPage(()) if envelope.around else None)
            check_success(answer, self._options, self.where)
            rows_of(answer, self, self.where)
        return rows

    def _envelope(self) -> Envelope:
        return Envelope(self._options, encoded=self._encoded)

    def _parts(self, copy: Copy, where: str, envelope: Envelope) -> Iterator[Part]:
        columns = self.columns
        if columns is None:
            msg = "rows are asked for without their columns"
            raise ValueError(msg)
        return map(columns.part, self._records(copy, where, envelope))

    def _records(
        self, copy: Copy, where: str, envelope: Envelope
    ) -> Generator[list[Record], None, None]:
        """The rows of an answer; a fault is an error, whatever its status."""
        found = records(copy.body, envelope, where)
        if copy.status_code == 200:
            yield from found
        else:
            self._read_fault(found, envelope)
        if envelope.fault is not None:
            raise error_of(envelope.fault, where, self._connection.id)
        self.client.check_status(copy, where)

    @staticmethod
    def _read_fault(found: Iterator[list[Record]], envelope: Envelope) -> None:
        """Look for a fault; what comes with another status and is no envelope is judged by it."""
        try:
            for _ in found:
                pass
        except ProtocolError:
            if envelope.is_foreign:  # no matter of time: the declared version is wrong
                raise


def _taken(copy: Copy, where: str) -> tuple[Copy, str]:
    return copy, where


class SoapReading(PagedReading):
    """One pass over all pages of a web service, or over its one answer."""

    options: SoapSource

    def __init__(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> None:
        """Take what is read.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """
        options = SoapSource.model_validate(request.options.model_dump())
        super().__init__(connection, request, options, more)

    @contextmanager
    def opened(self) -> Iterator[SoapApi]:
        """The service, to be called until the block ends."""
        api = SoapApi(self.connection, self.options, self.request.dataset)
        api.columns = Columns(self.request, api.place)
        try:
            yield api
        finally:
            api.client.close()

    def parts(self, api: Api, origin: str) -> Iterator[Part]:
        """The rows as batches of text, with the contract's names as columns.

        Args:
            api: is called.
            origin: for messages.
        """
        if self.options.paginator is None and isinstance(api, SoapApi):
            yield from api.streamed(self.params())
        else:
            yield from super().parts(api, origin)
        if isinstance(api, SoapApi) and api.columns is not None:
            api.columns.check()

    def params(self) -> dict[str, str]:
        """Those of every call, with the end of what is asked for."""
        return {**super().params(), **window_end(self.options)}

    def bound(self, since: str) -> str:
        """The incremental bound as the service takes it."""
        return written(datetime.fromisoformat(since), self.options)


def written(moment: datetime, options: SoapSource) -> str:
    """A moment as the service takes it; one without a zone is at Beijing.

    Args:
        moment: a date or a time.
        options: name the form.
    """
    local = moment.astimezone(ZONE) if moment.tzinfo else moment.replace(tzinfo=ZONE)
    return local.strftime(options.time_format) if options.time_format else local.isoformat()


def window_end(options: SoapSource) -> dict[str, str]:
    """The parameter that takes the moment of the reading, where there is one."""
    if options.until_param is None:
        return {}
    return {options.until_param: written(Settings.load().now(), options)}
