"""The decoder of COPY streams, in C: whatever a message holds, rows or a refusal, nothing else.

Built with `-fsanitize=address,undefined` the same cases show that it reads behind no message and
writes behind no buffer (ADR 0026 says how).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from onecard import native
from onecard.native.copy_in import HEADER, TRAILER
from onecard.native.copy_out import KINDS, Decoder, Limits
from tests.fuzz.mutation import fuzzed, spoilt

OIDS = (25, 1700, 1082, 1114, 1184, 21, 23, 20)
COLUMNS = [(f"c{n}", oid) for n, oid in enumerate(OIDS)]
MORE, FULL, GROW, BROKEN = 0, 1, 2, 6


def field(value: bytes | None) -> bytes:
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def row(*values: bytes | None) -> bytes:
    return struct.pack(">h", len(values)) + b"".join(map(field, values))


def number(weight: int, sign: int, scale: int, *digits: int) -> bytes:
    return struct.pack(f">hhHH{len(digits)}H", len(digits), weight, sign, scale, *digits)


FULL_ROW = row(
    "张三".encode(),
    number(1, 0x4000, 2, 12, 3456, 7800),
    struct.pack(">i", 9000),
    struct.pack(">q", 10**15),
    struct.pack(">q", -(10**15)),
    struct.pack(">h", -7),
    struct.pack(">i", 10**9),
    struct.pack(">q", 2**63 - 1),
)
NULLS = row(*[None] * len(OIDS))
SOUND = (HEADER + FULL_ROW, NULLS, FULL_ROW + NULLS, TRAILER)
MARKS = bytes((0, 1, 2, 8, 0x40, 0x7F, 0x80, 0xC0, 0xD0, 0xF0, 0xFF))


def decoded(messages: Sequence[bytes], limits: Limits) -> list[pa.RecordBatch] | None:
    """The batches; None: the stream was refused."""
    library = native.library()
    assert library is not None
    decode = library.onecard_decode
    decode.restype, decode.argtypes = ctypes.c_int64, [ctypes.c_void_p]
    decoder, found = Decoder(COLUMNS, limits), []
    for message in messages:
        held = ctypes.create_string_buffer(message, len(message))
        decoder.stream.message = ctypes.addressof(held)
        decoder.stream.size, decoder.stream.at = len(message), 0
        while (outcome := decode(ctypes.byref(decoder.stream))) != MORE:
            if outcome == GROW:
                decoder.grow()
            elif outcome == FULL:
                found.append(decoder.taken())
            else:
                assert outcome == BROKEN
                return None
    found.append(decoder.taken())
    return found


def test_the_sound_stream_is_decoded() -> None:
    batches = decoded(SOUND, Limits(3, 10**6))
    assert batches is not None
    assert [b.num_rows for b in batches] == [3, 1]
    assert batches[0].column(0).to_pylist() == ["张三", None, "张三"]
    assert batches[0].column(1).to_pylist() == ["-123456.78", None, "-123456.78"]


@fuzzed
@given(
    which=st.integers(0, len(SOUND) - 1),
    data=st.data(),
    rows=st.integers(1, 4),
    size=st.integers(1, 300),
)
def test_spoilt_messages(which: int, data: Any, rows: int, size: int) -> None:
    messages = list(SOUND)
    messages[which] = data.draw(spoilt(messages[which], MARKS))
    for batch in decoded([m for m in messages if m], Limits(rows, size)) or ():
        assert 0 < batch.num_rows <= rows or batch.num_rows == 0
        binary = [c.cast(pa.binary()) if pa.types.is_string(c.type) else c for c in batch.columns]
        for column in binary:  # offsets, sizes and counts of nulls; texts may be no UTF-8
            column.validate(full=True)


@fuzzed
@given(value=st.binary(max_size=60))
def test_any_bytes_as_a_number(value: bytes) -> None:
    only = row(None, value, *[None] * (len(OIDS) - 2))
    for batch in decoded((HEADER + only, TRAILER), Limits(2, 100)) or ():
        (text,) = batch.column(1).to_pylist()
        assert set(text) <= set("-.0123456789naif")


def test_every_type_has_a_kind_of_its_width() -> None:
    for oid, (_, kind) in KINDS.items():
        made = Decoder([("a", oid)], Limits(5, 100)).taken()
        assert made.schema.field(0).type == kind
