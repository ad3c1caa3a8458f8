"""Reading a web service page after page, or in one answer that is never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from connectors.common.gather import Part
from connectors.common.xml_rows import Columns
from connectors.http.reading import PagedReading
from connectors.soap.caller import SoapCaller
from connectors.soap.client import Copy
from connectors.soap.options import SoapSource
from connectors.soap.page import Answer, XmlPage
from onecard.base.connections import Connection
from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.ports.source import ReadRequest


class SoapApi:
    """An operation as pages are asked of it; implements `connectors.http.page.Api`.

    Attributes:
        place: the operation.
        rows: where the rows stand in an answer.
        columns: makes batches of rows.
    """

    def __init__(self, caller: SoapCaller, columns: Columns) -> None:
        """Take what is called.

        Args:
            caller: calls the operation.
            columns: makes batches of rows.
        """
        self._caller, self.columns = caller, columns
        self.place, self.rows = caller.place, caller.rows

    def ask(self, params: Mapping[str, str]) -> Answer:
        """Call the operation; the page is read whole.

        Args:
            params: of the request, by dotted paths.
        """
        return self._caller.ask(params, self._whole)

    def streamed(self, params: Mapping[str, str]) -> Iterator[Part]:
        """Call the operation once; the rows as batches as they are read.

        The columns of a batch have the contract's names.

        Args:
            params: of the request, by dotted paths.
        """
        caller = self._caller
        copy, where = caller.taken(params)
        with copy.body:
            envelope = caller.envelope()
            yield from map(self.columns.part, caller.records(copy, where, envelope))
        caller.check(envelope)

    def _whole(self, copy: Copy, where: str) -> Answer:
        with copy.body:
            envelope = self._caller.envelope()
            records = self._caller.records(copy, where, envelope)
            parts = tuple(map(self.columns.part, records))
        return Answer(envelope.values, XmlPage(parts) if envelope.around else None)


class SoapReading(PagedReading[SoapApi]):
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
        caller = SoapCaller(self.connection, self.options, self.request.dataset)
        try:
            yield SoapApi(caller, Columns(self.request, caller.place))
        finally:
            caller.close()

    def parts(self, api: SoapApi, origin: str) -> Iterator[Part]:
        """The rows as batches of text, with the contract's names as columns.

        Args:
            api: is called.
            origin: for messages.
        """
        if self.options.paginator is None:
            yield from api.streamed(self.params())
        else:
            yield from super().parts(api, origin)
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
