"""HTTP JSON APIs: paginated reading, idempotent delivery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from connectors.common.gather import regrouped
from connectors.common.records import part
from connectors.common.wire_text import rows_as_text
from connectors.rest.client import Client
from connectors.rest.options import Keyset, PageNumber, RestSink, RestSource
from onecard.base.connections import Connection
from onecard.errors import ProtocolError, SourceUnavailable
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Checkpoint, Chunk, Reading, ReadRequest, Refusal

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel


class RestConnector:
    """Implements `onecard.ports.connector.Connector` for HTTP JSON APIs."""

    kind: ClassVar[str] = "rest"
    source_options: ClassVar[type[BaseModel]] = RestSource
    sink_options: ClassVar[type[BaseModel]] = RestSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read page after page."""
        return _RestReading(connection, request)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """POST the rows in batches, then the manifest."""
        sink = RestSink.model_validate(options.model_dump())
        client = Client(connection, sink, f"{parcel.agreement}")
        try:
            return _Sending(client, sink, parcel).run()
        finally:
            client.close()


class _RestReading:
    """One pass over all pages."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        self._connection, self._request = connection, request
        self._options = RestSource.model_validate(request.options.model_dump())

    def __iter__(self) -> Iterator[Chunk]:
        options, request = self._options, self._request
        client = Client(self._connection, options, request.dataset)
        pages = _Pages(client, request.dataset, options, self._params())
        parts = (part(page, request, options.path) for page in pages)
        try:
            yield from regrouped(parts, options.path, request.batch_rows)
        finally:
            client.close()

    def _params(self) -> dict[str, str]:
        params = dict(self._options.params)
        if self._options.since_param and self._request.since:
            params[self._options.since_param] = self._request.since
        return params


class _Pages:
    """The loop over pages, with its detection of repeats and losses."""

    def __init__(
        self, client: Client, dataset: str, options: RestSource, params: dict[str, str]
    ) -> None:
        self._client, self._options, self._params = client, options, params
        self._where = f"{dataset} at {options.path}"

    def __iter__(self) -> Iterator[list[Any]]:
        paginator = self._options.paginator
        if isinstance(paginator, Keyset):
            pages = self._keyset(paginator)
        else:
            pages = self._numbered(paginator)
        last: list[Any] | None = None
        for page in pages:
            if page and page == last:
                self._refuse("a page was repeated")
            last = page
            yield page

    def _keyset(self, paginator: Keyset) -> Iterator[list[Any]]:
        seen: set[str] = set()
        cursor: str | None = None
        while True:
            params = {**self._params, paginator.size_param: str(paginator.size)}
            if cursor is not None:
                params[paginator.cursor_param] = cursor
            reply = self._get(params)
            yield self._records(reply)
            more = at(reply, paginator.has_more) if paginator.has_more else None
            found = at(reply, paginator.next)
            if more is True and found is None:
                self._refuse("it says there is more but names no next cursor")
            if found is None or more is False:
                return
            if not isinstance(found, str) or not found:
                self._refuse(f"{paginator.next} is no cursor")
            if found in seen:
                self._refuse("its cursors run in a loop")
            seen.add(found)
            cursor = found

    def _numbered(self, paginator: PageNumber) -> Iterator[list[Any]]:
        number, read, most = paginator.first, 0, 0
        while True:
            reply = self._get(
                {
                    **self._params,
                    paginator.page_param: str(number),
                    paginator.size_param: str(paginator.size),
                }
            )
            page = self._records(reply)
            yield page
            read, number = read + len(page), number + 1
            total = at(reply, paginator.total)
            if not isinstance(total, str) or not (total.isascii() and total.isdigit()):
                self._refuse(f"it gives no {paginator.total}")
            if int(total) < most:  # later rows moved up: one of them was on no page (F10)
                msg = f"{self._where}: the number of its rows fell while they were read"
                raise SourceUnavailable(msg)
            most = int(total)
            if read >= int(total):
                return
            if not page:
                self._refuse(f"it promised {int(total)} rows and gave {read}")

    def _get(self, params: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        reply = self._client.get(self._options.path, params)
        success = self._options.success
        if success and as_text(at(reply, success.field)) != success.value:
            self._refuse(f"it did not answer {success.field} = {success.value}")
        return reply

    def _records(self, reply: object) -> list[Any]:
        found = at(reply, self._options.records)
        if not isinstance(found, list):
            self._refuse(f"its reply has no list at {self._options.records}")
        return found

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self._where}: {why}"
        raise ProtocolError(msg)


class _Sending:
    """The batches of one parcel, each under an id that holds the digest of its rows."""

    def __init__(self, client: Client, sink: RestSink, parcel: Parcel) -> None:
        self._client, self._sink, self._parcel = client, sink, parcel

    def run(self) -> Sent:
        """Send everything; raises ProtocolError when a batch is not stored."""
        parts: list[dict[str, Any]] = []
        already = 0
        for sequence, content in enumerate(self._contents(), start=1):
            told = content.get("deleted", content["rows"])
            text = json.dumps(told, ensure_ascii=False, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
            batch = f"{self._parcel.delivery_id}-{sequence}-{digest[:8]}"
            already += self._post(
                self._sink.path,
                {
                    **self._head(),
                    "batchId": batch,
                    "sequence": sequence,
                    "digest": digest,
                    **content,
                },
            )
            counts = {name: len(listed) for name, listed in content.items()}
            parts.append({"batchId": batch, **counts, "digest": digest})
        rows_sent = sum(part["rows"] for part in parts)
        deleted = sum(part.get("deleted", 0) for part in parts)
        whole = hashlib.sha256("".join(p["digest"] for p in parts).encode()).hexdigest()
        manifest = self._parcel.sign(
            {
                **self._parcel.manifest,
                **self._head(),
                "rows": rows_sent,
                "digest": whole,
                "parts": parts,
                **({} if self._parcel.deletes is None else {"deletes": {"rows": deleted}}),
            }
        )
        self._post(f"{self._sink.path}/manifest", manifest)
        return Sent(rows_sent, len(parts), already, whole, deleted)

    def _contents(self) -> Iterator[dict[str, list[dict[str, str | None]]]]:
        """Bodies of the requests: keys to drop first, without rows; then rows."""
        for keys in self._batches(self._parcel.deletes or iter(())):
            yield {"rows": [], "deleted": keys}
        for rows in self._batches(self._parcel.batches):
            yield {"rows": rows}

    def _head(self) -> dict[str, str]:
        return {"deliveryId": self._parcel.delivery_id, "agreement": self._parcel.agreement}

    def _batches(self, batches: Iterator[pa.RecordBatch]) -> Iterator[list[dict[str, str | None]]]:
        held: list[dict[str, str | None]] = []
        size = self._sink.batch_rows
        for batch in batches:
            for start in range(0, batch.num_rows, size):
                held += rows_as_text(batch.slice(start, size))
                if len(held) >= size:
                    yield held[:size]
                    held = held[size:]
        if held:
            yield held

    def _post(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the receiver had it already."""
        self._parcel.leave()
        reply = self._client.post(path, json.dumps(body, ensure_ascii=False).encode())
        code = as_text(at(reply, self._sink.code))
        if code not in (self._sink.stored, self._sink.already):
            msg = f"{self._parcel.agreement}: the receiver did not store a batch ({path})"
            raise ProtocolError(msg)
        return code == self._sink.already


def at(document: object, path: str | None) -> Any:  # noqa: ANN401 - JSON
    """The value at a dotted path, or None."""
    found: Any = document
    for step in (path or "").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def as_text(value: object) -> str | None:
    """A JSON scalar as it stands in the document; None for null, a list or an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None
