"""Arrow record batches as the bytes of a binary COPY FROM."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pyarrow as pa

from onecard import native
from onecard.errors import InternalError

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK = 1 << 20
"""Bytes that leave at once; more only where one row needs them."""
_TEXT, _DATE, _TIMESTAMP, _INT64, _DECIMAL = range(5)
_KINDS = {
    pa.string_view(): _TEXT,
    pa.date32(): _DATE,
    pa.timestamp("us", "UTC"): _TIMESTAMP,
    pa.int64(): _INT64,
}


class _Column(ctypes.Structure):
    """As `column` in copy_in.c."""

    _fields_ = (
        ("kind", ctypes.c_int64),
        ("scale", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("validity", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    )


class Encoder:
    """Encodes batches of one schema; its buffer is used again for each chunk."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._encode = library.onecard_encode
        self._encode.restype = ctypes.c_int64
        self._encode.argtypes = [
            ctypes.c_void_p,
            *(ctypes.c_int64,) * 3,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_void_p,
        ]
        self._buffer = bytearray(CHUNK)

    def chunks(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """The rows, a chunk at a time; each is valid until the next is asked for.

        Args:
            batch: its columns are of a schema that `encoder` takes.

        Raises:
            InternalError: a date or a time lies before what PostgreSQL has; names the row.
        """
        kept: list[object] = []  # what the columns point to
        columns = (_Column * batch.num_columns)(*(_column(c, kept) for c in batch.columns))
        done, used = 0, ctypes.c_int64()
        while done < batch.num_rows:
            room = (ctypes.c_char * len(self._buffer)).from_buffer(self._buffer)
            arguments = (done, batch.num_rows, room, len(self._buffer), ctypes.byref(used))
            next_row = self._encode(columns, batch.num_columns, *arguments)
            if next_row < 0:
                msg = f"row {-next_row} of a batch holds a moment before PostgreSQL's first"
                raise InternalError(msg)
            if next_row == done:
                self._buffer = bytearray(2 * len(self._buffer))
            else:
                yield memoryview(self._buffer)[: used.value]
            done = next_row


def encoder(schema: pa.Schema) -> Encoder | None:
    """What encodes batches of this schema; None: the caller takes its plain path."""
    library = native.library()
    if library is None or not all(_kind(t) is not None for t in schema.types):
        return None
    return Encoder(library)


def _kind(wanted: pa.DataType) -> int | None:
    return _DECIMAL if pa.types.is_decimal128(wanted) and wanted.scale >= 0 else _KINDS.get(wanted)


def _column(array: pa.Array, kept: list[object]) -> _Column:
    validity, values, *data = array.buffers()
    addresses = (ctypes.c_void_p * len(data))(*(b.address for b in data))
    kept += [validity, values, data, addresses]
    return _Column(
        kind=_kind(array.type),
        scale=getattr(array.type, "scale", 0),
        offset=array.offset,
        validity=validity.address if validity else None,
        values=values.address if values else None,
        data=ctypes.addressof(addresses),
    )
