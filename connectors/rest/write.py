"""Delivering to an API: batches under ids that hold their digest, then the manifest."""

from __future__ import annotations

import hashlib
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


class RestSending:
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
        code = scalar_text(at(reply, self._sink.code))
        if code not in (self._sink.stored, self._sink.already):
            msg = f"{self._parcel.agreement}: the receiver did not store a batch ({path})"
            raise ProtocolError(msg)
        return code == self._sink.already
