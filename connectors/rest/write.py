"""Delivering to an API: batches under ids that hold their digest, then the manifest.

Of a sealed delivery each batch is a part, by its sequence: what would be its `rows` and `deleted`
is sealed as one JSON text, and stands in base64 as its `sealed`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from connectors.common.strict_json import at, scalar_text
from connectors.common.wire_text import rows_as_text
from connectors.rest.client import Client
from connectors.rest.options import RestSink
from onecard.errors import ProtocolError
from onecard.ports.sink import Parcel, Sent

if TYPE_CHECKING:
    import pyarrow as pa

COUNT_DIGITS = 18
"""Of a number of rows that is believed."""


class RestSending:
    """The batches of one parcel, each under an id that holds the digest of its rows."""

    def __init__(self, client: Client, sink: RestSink, parcel: Parcel) -> None:
        self._client, self._sink, self._parcel = client, sink, parcel

    def run(self) -> Sent:
        """Send everything; raises ProtocolError when a batch is not stored."""
        parts: list[dict[str, Any]] = []
        already = unsent = 0
        for sequence, content in enumerate(self._contents(), start=1):
            body, digest = self._body(sequence, content)
            batch = f"{self._parcel.delivery_id}-{sequence}-{digest[:8]}"
            known, odd = self._post(
                self._sink.path,
                {
                    **self._head(),
                    "batchId": batch,
                    "sequence": sequence,
                    "digest": digest,
                    **body,
                },
                len(content["rows"]),
            )
            already += known
            unsent += odd
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
                **self._parcel.sealing,
            }
        )
        self._counted(rows_sent)
        _, odd = self._post(f"{self._sink.path}/manifest", manifest)
        remarks = tuple(self._remarks(unsent + odd, len(parts) + 1))
        return Sent(rows_sent, len(parts), already, whole, deleted, remarks)

    def _remarks(self, unsent: int, parts: int) -> Iterator[str]:
        """That the receiver takes for known what nobody ever sent it."""
        if not unsent:
            return
        counted = "its rows were counted" if self._sink.count else "its rows cannot be counted"
        yield (
            f"the receiver said {self._sink.already} (there already) to {unsent} of {parts}"
            f" requests that were sent for the first time; {counted} (delivery option `count`)"
        )

    def _counted(self, rows: int) -> None:
        """Ask how many rows of this delivery are there, where that can be asked.

        A delivery that is sent again may have left other rows at its first attempt.
        """
        asked, parcel = self._sink.count, self._parcel
        if asked is None:
            return
        reply = self._client.get(asked.path, {asked.delivery_param: parcel.delivery_id})
        said = scalar_text(at(reply, asked.rows)) or ""
        if not (said.isascii() and said.isdigit() and len(said) <= COUNT_DIGITS):
            msg = f"{parcel.agreement}: {asked.path} says no number of rows at {asked.rows!r}"
            raise ProtocolError(msg)
        if int(said) < rows or (int(said) > rows and not parcel.again):
            msg = f"{parcel.agreement}: {rows} rows were sent, the receiver holds {int(said)}"
            raise ProtocolError(msg)

    def _contents(self) -> Iterator[dict[str, list[dict[str, str | None]]]]:
        """Bodies of the requests: keys to drop first, without rows; then rows."""
        for keys in self._batches(self._parcel.deletes or iter(())):
            yield {"rows": [], "deleted": keys}
        for rows in self._batches(self._parcel.batches):
            yield {"rows": rows}

    def _body(
        self, sequence: int, content: dict[str, list[dict[str, str | None]]]
    ) -> tuple[dict[str, Any], str]:
        """What is sent of a batch, and its digest: of its rows, its keys, or what is sealed."""
        if self._parcel.sealer is None:
            told = content.get("deleted", content["rows"])
            text = json.dumps(told, ensure_ascii=False, sort_keys=True)
            return dict(content), hashlib.sha256(text.encode()).hexdigest()
        plain = io.BytesIO(json.dumps(content, ensure_ascii=False).encode())
        sealed = b"".join(self._parcel.sealer.sealed(sequence, plain))
        return {"sealed": base64.b64encode(sealed).decode()}, hashlib.sha256(sealed).hexdigest()

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

    def _post(self, path: str, body: dict[str, Any], rows: int = 0) -> tuple[bool, bool]:
        """Whether the receiver had it already, and whether it cannot have had it."""
        self._parcel.leave(rows)
        before = self._client.tries
        text = json.dumps(body, ensure_ascii=False).encode()
        reply = self._client.post(path, text, again=self._parcel.leave)
        code = scalar_text(at(reply, self._sink.code))
        if code not in (self._sink.stored, self._sink.already):
            msg = f"{self._parcel.agreement}: the receiver did not store a batch ({path})"
            raise ProtocolError(msg)
        known = code == self._sink.already
        return known, known and not self._parcel.again and self._client.tries == before + 1
