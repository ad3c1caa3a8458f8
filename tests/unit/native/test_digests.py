"""Keyed digests, base32 and rows as texts by the library: published answers, and the plain path."""

from __future__ import annotations

import base64
import ctypes
import hmac
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.hashes import SHA256, SM3

from onecard.crypto.keys import Key
from onecard.crypto.suites import common, suite
from onecard.deliver import row_refs, treatment
from onecard.errors import PolicyError
from onecard.model import treated
from onecard.native import digests, library, packing
from onecard.native.columns import Columns
from onecard.store import holding
from schemas.models import catalogue

Hashed = Literal["sha256", "sm3"]
HASHES = {"sha256": SHA256(), "sm3": SM3()}
SHORT_CASES = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
)
"""RFC 4231, cases 1 and 2: those whose data are text and whose key fits a block."""
KNOWN = [
    (1232249261892510228, 399725445112024685, 130579768113052),
    (7113538511389470463, 497680331487743795, 62076646087405),
]
"""References and digests as the first format made them."""
LENGTHS = [*range(140), 183, 184, 247, 248, 1000]
"""Around every length at which the padding needs another block."""


def texts(seed: int, rows: int) -> pl.Series:
    """Texts of many lengths and scripts, some NULL."""
    chance = random.Random(seed)
    found: list[str | None] = []
    for _ in range(rows):
        letters = chance.choice(["0123456789X", "张三𠮷é", "\0~= "])
        found.append("".join(chance.choices(letters, k=chance.choice(LENGTHS))))
    return pl.Series([None if chance.random() < 0.1 else text for text in found], dtype=pl.String)


@pytest.mark.parametrize(("key", "data", "answer"), SHORT_CASES)
def test_the_published_answers_come_out(key: bytes, data: bytes, answer: str) -> None:
    for prefix in (b"", data[:3], data):
        values = pl.Series([data[len(prefix) :].decode()] * 11)
        made = digests.keyed("sha256", key, prefix, values)
        assert made is not None
        assert made.tobytes() == bytes.fromhex(answer) * 11


@pytest.mark.parametrize("hashed", HASHES)
@pytest.mark.parametrize("key", [b"", bytes(range(32)), b"k" * 64])
@pytest.mark.parametrize("prefix", [b"", b"v1|", b"p" * 61])
@pytest.mark.parametrize("width", [0, 1, 2, 3, 4])
def test_digests_are_those_of_cryptography(
    hashed: Hashed, key: bytes, prefix: bytes, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "WIDTH", width)
    values = texts(1, 400)
    for some in (values, values[3:], values[397:], values[:0], pl.Series(["x"] * 9)):
        made = digests.keyed(hashed, key, prefix, some)
        wanted = [
            common.hmac(HASHES[hashed], key, prefix + (v or "").encode()) for v in some.to_list()
        ]
        assert made is not None
        assert made.tobytes() == b"".join(wanted)


def test_every_length_is_padded_right() -> None:
    values = pl.Series(["x" * length for length in LENGTHS])
    for hashed in ("sha256", "sm3"):
        made = digests.keyed(hashed, b"key", b"", values)
        wanted = [common.hmac(HASHES[hashed], b"key", v.encode()) for v in values]
        assert made is not None
        assert made.tobytes() == b"".join(wanted)


def test_texts_that_are_no_tokens_are_counted() -> None:
    token, beside = "ABCDEFGHIJKLMNOPQRSTUVWX27", "@[18/{a\0\n 张"
    wrong = [
        "",
        token[1:],
        token + "A",
        *(token[:at] + c + token[at + 1 :] for at in (0, 13, 25) for c in beside),
    ]
    values = pl.Series([token, None, *wrong, token])
    for some in (values, values[2:], values[:2], values[:0]):
        shaped = some.drop_nulls().str.contains(treated.TOKEN_PATTERN)
        assert digests.not_base32(some, treated.TOKEN_LENGTH) == int((~shaped).sum())
    assert digests.not_base32(values, treated.TOKEN_LENGTH) == len(wrong)


def test_numbers_are_never_looked_at_as_texts() -> None:
    found = library()
    assert found is not None
    count = found.onecard_not_base32
    count.restype = ctypes.c_int64
    for kind in (pl.Int32, pl.Int64):
        values = Columns([pl.Series([1, 2], dtype=kind)])
        assert count(values.pointer, ctypes.c_size_t(2), ctypes.c_size_t(26)) == -1


def test_what_it_does_not_take_goes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pl.Series(["x"])
    assert digests.keyed("sha256", b"k" * 65, b"", values) is None
    assert digests.keyed("sha256", b"k", b"", pl.Series([1])) is None
    for other in ([1], [True], [date(2026, 1, 1)], pl.Series(["x"], dtype=pl.Categorical)):
        assert digests.not_base32(pl.Series(other), 26) is None
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    assert digests.keyed("sha256", b"k", b"", values) is None
    assert digests.base32(np.zeros((1, 32), np.uint8), 26) is None
    assert digests.not_base32(values, 26) is None
    assert digests.row_texts([values], "") is None
    assert digests.row_hashes([values], "", np.zeros((1, 32), np.uint8)) is None
    assert packing.entries(holding.no_entries(), 1) is None


def test_a_library_that_computes_something_else_is_never_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = np.zeros((9, 32), np.uint8)
    monkeypatch.setattr(digests, "keyed", lambda *_: wrong)
    common._prove_native.cache_clear()
    with pytest.raises(PolicyError, match=r"self-test of keyed columns: nothing leaves"):
        suite("international").digest_rows(b"k", pl.Series(["x"]))
    common._prove_native.cache_clear()


@pytest.mark.parametrize("letters", [1, 8, 26, 51])
def test_base32_is_that_of_the_standard_library(letters: int) -> None:
    made = np.random.default_rng(5).integers(0, 256, (1000, 32), np.uint8)
    found = digests.base32(made[1:], letters)
    assert found is not None
    wanted = [base64.b32encode(row.tobytes())[:letters] for row in made[1:]]
    assert [row.tobytes() for row in found] == wanted


@pytest.fixture(params=["on", "off"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("ONECARD_NATIVE", request.param)
    yield request.param


def test_a_token_is_the_same_on_both_ways(native: str) -> None:
    secret = bytes(range(32))
    found = treatment.Tokeniser(suite("international"), Key("2026", secret)).tokens(
        pl.Series(["410199194901010014", None])
    )
    made = hmac.digest(secret, b"v1|410199194901010014", "sha256")
    assert found.to_list() == [base64.b32encode(made)[:26].decode(), None], native


def rows(count: int) -> pl.DataFrame:
    """Values of every kind that a row's text is made of, with NULLs and the ends of their range."""
    chance = random.Random(7)

    def some(*values: object) -> list[object]:
        return [chance.choice([*values, None]) for _ in range(count)]

    first = datetime(1, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "card_no": [f"C{n}" for n in range(count)],
            "card_status": some("", "~", "=", "x" * 12, "x" * 13, "张三" * 9),
            "person_token": pl.Series(some(0, -1, 2**63 - 1, -(2**63), 10**16), dtype=pl.Int64),
            "bank_code": pl.Series(some(99, 100, -(2**31), 2**31 - 1), dtype=pl.Int32),
            "resid_division": pl.Series(some(True, False)),
            "issue_date": some(date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)),
            "valid_to": pl.Series(some(-7, 7), dtype=pl.Int16),
            "source_updated_at": some(first, first + timedelta(microseconds=1)),
        },
        schema_overrides={"source_updated_at": pl.Datetime("us", "UTC")},
    )


@pytest.mark.parametrize("name", ["international", "national"])
@pytest.mark.parametrize("count", [0, 1, 40_000])
def test_references_are_the_same_on_both_ways(
    name: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = catalogue.load().agreement("f07-hrss-operator-card-status")
    fields = {f.name: f for f in agreement.fields}
    frame = rows(count)
    frame = frame.rename(dict(zip(frame.columns[: len(fields)], fields, strict=False)))
    missing = [pl.lit("x").alias(n) for n in fields if n not in frame.columns]
    refs = row_refs.RowRefs(agreement, suite(name), Key("1", b"k" * 32), "shape")
    whole, found = frame.with_columns(missing), []
    for way in ("on", "off"):
        monkeypatch.setenv("ONECARD_NATIVE", way)
        found.append(refs.of(whole))
        assert refs.of(whole[3:90]).equals(found[-1][3:90])
        assert refs.of(whole, digests=False).equals(found[-1].select("high", "low"))
    assert found[0].equals(found[1])
    assert len(found[0]) == count


@pytest.mark.parametrize("head", ["", "h" * 64, "张" * 400])
def test_hashes_of_rows_are_those_of_polars_hash_at_every_length(head: str) -> None:
    lengths = [*range(1200), 2040, 2048, 5000]
    chance = np.random.default_rng(11)
    values = pl.Series(["".join(map(chr, chance.integers(1, 500, n))) for n in lengths])
    numbers = pl.Series(chance.integers(-(2**63), 2**63 - 1, len(lengths)))
    secrets = chance.integers(0, 256, (len(lengths), 32), np.uint8)
    secrets[:9] = 0
    for columns in ([values], [values.shift(1), numbers], [numbers[:9]], [values[5:], values[:-5]]):
        own = secrets[: len(columns[0])]
        wanted = row_refs._hashed(row_refs._joined(columns, head, own))
        found = digests.row_hashes(columns, head, own)
        assert found is not None
        assert found.tolist() == wanted.to_list()


def test_references_stay_what_records_hold(native: str) -> None:
    """Were they others, every consumer would get every row once more."""
    agreement = catalogue.load().agreement("f07-hrss-operator-card-status")
    frame = pl.DataFrame({f.name: [f"{f.name}=1", None] for f in agreement.fields})
    refs = row_refs.RowRefs(agreement, suite("international"), Key("1", b"k" * 32), "shape")
    assert refs.of(frame).rows() == KNOWN, native


def test_entries_are_packed_the_same_on_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    made = np.random.default_rng(3)
    words = made.integers(0, 2**64, (5_000, 2), np.uint64)
    words[:300, 0] = words[0, 0]  # many in one bucket, told apart by their lower half
    held = pl.DataFrame(
        {
            "high": words[:, 0],
            "low": words[:, 1],
            "digest": made.integers(0, 2**48, 5_000, np.uint64),
            "transfer": made.integers(0, 2**32, 5_000, np.uint32),
        }
    )
    for some, buckets in ((held, 250), (held, 1), (held[:1], 7), (held[:0], 1)):
        found = []
        for way in ("on", "off"):
            monkeypatch.setenv("ONECARD_NATIVE", way)
            groups = holding._grouped(some, buckets)
            found.append((groups.numbers.tolist(), groups.parts()))
        assert found[0] == found[1]
        assert (
            holding._unpacked(b"".join(found[0][1]))
            .sort("high", "low")
            .equals(some.sort("high", "low"))
        )
