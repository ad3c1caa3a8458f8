"""The gate and its kernels on what nobody thought of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.cn import ric
from stdnum.cn import uscc as stdnum_uscc

from onecard.ports.source import Chunk
from quality.rows import identifiers
from quality.rows.gate import compile_gate
from schemas.models import catalogue
from schemas.models.contract import Contract
from tests.sampling import how_often

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
KNOWN = identifiers.divisions([], [])
CONTRACTS = catalogue.load().contracts
GATES = {name: compile_gate(contract) for name, contract in CONTRACTS.items()}

births = st.dates(date(1880, 1, 1), NOW.date())
few = settings(max_examples=60, deadline=None)


@st.composite
def id_numbers(draw: st.DrawFn) -> str:
    head = draw(st.integers(100_000, 999_999))
    body = f"{head}{draw(births):%Y%m%d}{draw(st.integers(0, 999)):03}"
    return body + ric.calc_check_digit(f"{body}0")


def wrong_aspects(number: str) -> set[str]:
    found = identifiers.id_number(pl.Series([number]), 20261124, KNOWN)
    return {a for a, mask in found.items() if a != "listed" and not mask[0]}


@few
@given(st.lists(id_numbers(), min_size=1, max_size=50))
def test_every_valid_id_number_passes(numbers: list[str]) -> None:
    found = identifiers.id_number(pl.Series(numbers), 20261124, KNOWN)
    assert all(mask.all() for aspect, mask in found.items() if aspect != "listed")


@few
@given(id_numbers(), st.integers(0, 16), st.integers(1, 9))
def test_any_changed_digit_is_caught(number: str, place: int, by: int) -> None:
    digit = str((int(number[place]) + by) % 10)
    assert "checksum" in wrong_aspects(number[:place] + digit + number[place + 1 :])


@few
@given(id_numbers(), st.integers(0, 16))
def test_any_swap_of_neighbours_is_caught(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped != number:
        assert wrong_aspects(swapped) & {"checksum", "format"}


@few
@given(st.text("0123456789", min_size=16, max_size=19))
def test_luhn_agrees_with_the_oracle(number: str) -> None:
    found = identifiers.bank_account(pl.Series([number]))
    assert bool(found["luhn"][0]) == luhn.is_valid(number)


@few
@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17), st.data())
def test_uscc_agrees_with_the_oracle(head: str, data: st.DataObject) -> None:
    last = data.draw(st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
    found = identifiers.uscc(pl.Series([head + last]))
    assert bool(found["checksum"][0]) == (stdnum_uscc.calc_check_digit(head) == last)
    assert found["format"][0]


anything = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
likely = st.sampled_from(
    ["11010519491231002X", "2024-01-01", "2024-01-01T00:00:00Z", "1.00", "1", "0", "01", "410105"]
)


@st.composite
def batches(draw: st.DrawFn, contract: Contract) -> pa.RecordBatch:
    rows = draw(st.integers(0, 12))
    cells = st.lists(anything | likely, min_size=rows, max_size=rows)
    return pa.record_batch({n: pa.array(draw(cells), pa.string()) for n in contract.names})


@settings(max_examples=how_often(50, 150), deadline=None)
@given(st.data())
def test_every_row_is_good_or_rejected_exactly_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CONTRACTS)))
    batch = data.draw(batches(CONTRACTS[name]))
    damaged = data.draw(st.sets(st.integers(0, max(0, len(batch) - 1)))) if len(batch) else set()
    chunk = Chunk(batch, "made", 7, dict.fromkeys(damaged, "record.cells"))
    checked = GATES[name].check(chunk, NOW)
    numbers = [row.number for row in checked.rejected]
    assert len(set(numbers)) == len(numbers)
    assert len(checked.good) + len(numbers) == len(batch)
    assert set(numbers) <= set(range(7, 7 + len(batch)))
    assert all(row.reasons == tuple(sorted(set(row.reasons))) != () for row in checked.rejected)
    assert checked.good.columns == [*CONTRACTS[name].names, "_row_hash"]


binary = st.none() | st.binary(max_size=12)


@pytest.mark.fault("F30", "any bytes are quarantined or pass, none stops the gate")
@few
@given(st.lists(binary, min_size=1, max_size=8))
def test_bytes_that_are_no_text_never_stop_the_gate(cells: list[bytes | None]) -> None:
    contract = CONTRACTS["hrss/card_master"]
    raw = pa.array(cells, pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    batch = pa.record_batch(dict.fromkeys(contract.names, text))
    checked = GATES[contract.id].check(Chunk(batch, "made"), NOW)
    assert len(checked.rejected) == len(cells)


def _contract() -> Contract:
    base = CONTRACTS["hrss/card_master"]
    kinds = {
        "k": {"type": "string", "semantic": "text", "key_position": 1, "required": True},
        "d": {"type": "date", "semantic": "date"},
        "t": {"type": "timestamp", "semantic": "instant"},
        "i": {"type": "integer", "semantic": "sequence"},
        "n": {"type": "number", "semantic": "money", "precision": 10, "scale": 2},
    }
    common = {"level": "L1", "pii": "NONE"}
    fields = [{"name": n, "title": n, "native": n, **common, **k} for n, k in kinds.items()]
    given_ = base.model_dump(by_alias=True) | {"fields": fields, "rules": [], "sequence": None}
    return Contract.model_validate(
        given_ | {"expectations": [], "source": {"connector": "sql", "connection": "c"}}
    )


TYPES = {
    "k": pa.string(),
    "d": pa.date32(),
    "t": pa.timestamp("us", "UTC"),
    "i": pa.int64(),
    "n": pa.decimal128(18, 4),
}
typed_rows = st.tuples(
    st.text("ab张\t", max_size=4) | st.none(),
    st.dates() | st.none(),
    st.datetimes(
        datetime.fromisoformat("0001-01-03"),
        datetime.fromisoformat("9999-12-29"),
        timezones=st.just(UTC),
    )
    | st.none(),
    st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000) | st.none(),
    st.decimals(-(10**9), 10**9, places=4) | st.decimals(-99, 99, places=2) | st.none(),
)


def as_text(value: object, hours: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        east = value + timedelta(hours=hours)
        sign = "-" if hours < 0 else "+"
        return f"{east.replace(tzinfo=None).isoformat()}{sign}{abs(hours):02}:00"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


@settings(max_examples=how_often(50, 200), deadline=None)
@given(st.lists(typed_rows, min_size=1, max_size=8), st.integers(-12, 14))
def test_text_and_typed_readings_give_the_same_rows_and_hashes(
    rows: list[tuple[object, ...]], hours: int
) -> None:
    gate = compile_gate(_contract())
    columns = dict(zip(TYPES, zip(*rows, strict=True), strict=True))
    typed = pa.record_batch({n: pa.array(v, TYPES[n]) for n, v in columns.items()})
    text = pa.record_batch(
        {n: pa.array([as_text(v, hours) for v in vs], pa.string()) for n, vs in columns.items()}
    )
    one, other = (gate.check(Chunk(batch, "made"), NOW) for batch in (typed, text))
    assert one.good.equals(other.good)
    assert [(r.number, r.reasons) for r in one.rejected] == [
        (r.number, r.reasons) for r in other.rejected
    ]


@few
@given(st.lists(typed_rows, min_size=1, max_size=8))
def test_rejected_values_are_judged_alike_when_they_come_back(
    rows: list[tuple[object, ...]],
) -> None:
    """A quarantined row that is repaired and replayed holds what its source gave."""
    gate = compile_gate(_contract())
    columns = dict(zip(TYPES, zip(*rows, strict=True), strict=True))
    typed = pa.record_batch({n: pa.array(v, TYPES[n]) for n, v in columns.items()})
    first = gate.check(Chunk(typed, "made"), NOW)
    if first.rejected:
        again = pa.record_batch(
            {n: pa.array([r.values[n] for r in first.rejected], pa.string()) for n in TYPES}
        )
        second = gate.check(Chunk(again, "made"), NOW)
        assert [r.reasons for r in second.rejected] == [r.reasons for r in first.rejected]
