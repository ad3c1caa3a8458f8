"""What each type takes, as text and typed: nothing is normalised in silence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from onecard.operations.dry_run import _first
from quality.rows.gate import compile_gate

pytestmark = pytest.mark.usefixtures("either_path")

naive = datetime.fromisoformat
DATE, TIME, INTEGER = {"type": "date"}, {"type": "timestamp"}, {"type": "integer"}
MONEY = {"type": "number", "precision": 6, "scale": 2}


def typed(contract_of, chunk_of, now, field, values):
    checked = compile_gate(contract_of({"name": "f", **field})).check(chunk_of({"f": values}), now)
    assert checked.rejected == ()
    return checked.good["f"].to_list()


@pytest.mark.fault("F24", "1988-09-11 00:30 is summer time, unambiguous")
@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (DATE, "2024-02-29", date(2024, 2, 29)),
        (DATE, "0001-01-01", date(1, 1, 1)),
        (DATE, "9999-12-31", date(9999, 12, 31)),
        ({**DATE, "format": "%Y%m%d"}, "20240229", date(2024, 2, 29)),
        (TIME, "2024-01-02T03:04:05+08:00", datetime(2024, 1, 1, 19, 4, 5, tzinfo=UTC)),
        (TIME, "2024-01-02 03:04:05.5Z", datetime(2024, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        (TIME, "2024-01-02T03:04:05.123456-01:30", datetime(2024, 1, 2, 4, 34, 5, 123456, UTC)),
        (
            {**TIME, "format": "%Y/%m/%d %H:%M"},
            "2024/01/02 08:00",
            datetime(2024, 1, 2, tzinfo=UTC),
        ),
        (
            {**TIME, "format": "%Y%m%d%H%M%S"},
            "19880911003000",
            datetime(1988, 9, 10, 15, 30, tzinfo=UTC),
        ),
        (INTEGER, "-000", 0),
        (INTEGER, "999999999999999999", 10**18 - 1),
        (MONEY, "-0012.50", Decimal("-12.50")),
        (MONEY, "9999.99", Decimal("9999.99")),
        (MONEY, "7", Decimal(7)),
        (MONEY, "1.5000", Decimal("1.50")),
        ({"type": "number", "precision": 4, "scale": 4}, "0.1234", Decimal("0.1234")),
        ({"type": "number", "precision": 3, "scale": 0}, "120.0", Decimal(120)),
    ],
)
def test_good_text(contract_of, chunk_of, now, field, text, value) -> None:
    assert typed(contract_of, chunk_of, now, field, [text, None]) == [value, None]


@pytest.mark.fault("F24", "01:30 on 1988-09-11 has two meanings: quarantined")
@pytest.mark.fault("F31", "excess scale, NaN and exponents are rejected")
@pytest.mark.fault("F30", "an integer of 5,000 digits is rejected")
@pytest.mark.parametrize(
    ("field", "text", "rule"),
    [
        *[(DATE, t, "type") for t in ("2024-02-30", "2024-1-5", "2024-01-05 ", " 2024-01-05")],
        *[(DATE, t, "type") for t in ("0000-01-01", "2024-01-05\n", "20240105", "", "２024-01-05")],
        *[(DATE, t, "type") for t in ("2024-01-05T00:00:00", "+2024-01-05", "12024-01-05")],
        *[({**DATE, "format": "%Y%m%d"}, t, "type") for t in ("2024229", "20240230", " 20240101")],
        *[({**DATE, "format": "%Y-%m-%d"}, t, "type") for t in ("24-1-5", "+2024-01-05")],
        *[(TIME, t, "type") for t in ("2024-01-02T03:04:05", "2024-01-02", "2024-01-02T24:00:00Z")],
        *[(TIME, f"2024-01-02T{t}", "type") for t in ("23:59:60Z", "03:04:05.1234567Z", "03:04Z")],
        *[(TIME, f"2024-01-02T03:04:05{t}", "type") for t in ("+0800", "+08", "z", "+08:60", ".Z")],
        *[(TIME, t, "type") for t in ("0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00")],
        ({**TIME, "format": "%Y-%m-%d %H:%M:%S"}, "1988-09-11 01:30:00", "type"),
        ({**TIME, "format": "%Y-%m-%d %H:%M:%S"}, "1988-04-17 02:30:00", "type"),
        ({**TIME, "format": "%Y-%m-%d %H:%M:%S"}, "2024-01-02 03:04:05 ", "type"),
        *[
            (INTEGER, t, "type")
            for t in ("1.0", " 1", "1e3", "+1", "", "-", "1" * 19, "١", "1_000")
        ],
        (INTEGER, "9" * 5000, "type"),
        *[(MONEY, t, "type") for t in ("NaN", "1e3", "1,000", ".5", "5.", "", "+1", "٣", "1.5 ")],
        *[(MONEY, t, "scale") for t in ("1.005", "10000", "10000.00", "-99999", "9" * 5000)],
        ({"type": "number", "precision": 4, "scale": 4}, "1.0", "scale"),
        ({"type": "number", "precision": 3, "scale": 0}, "1.5", "scale"),
    ],
)
def test_bad_text(judge, field, text, rule) -> None:
    assert judge(field, [text]) == [[rule]]


@pytest.mark.fault("F30", "wrong, huge and undecodable typed values are rejected")
@pytest.mark.fault("F31", "a float is no money")
@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        (DATE, pa.array([19_000, 2**31 - 1, -(2**31), None], pa.int32()).cast(pa.date32()), "gbbg"),
        (DATE, pa.array([date(2020, 1, 1)], pa.date64()), "g"),
        (DATE, pa.array([naive("2020-01-01T00:00:01")], pa.timestamp("us")), "b"),
        (DATE, pa.array([20200101], pa.int64()), "b"),
        (TIME, pa.array([0, 2**62, -(2**62)], pa.int64()).cast(pa.timestamp("us", "UTC")), "gbb"),
        (
            TIME,
            pa.array([0, 2**62, -(2**62)], pa.int64()).cast(pa.timestamp("ms", "+08:00")),
            "gbb",
        ),
        (TIME, pa.array([0, 2**62, None], pa.int64()).cast(pa.timestamp("s", "Asia/Tokyo")), "gbg"),
        (TIME, pa.array([1000, 1001], pa.int64()).cast(pa.timestamp("ns", "UTC")), "gb"),
        (TIME, pa.array([1], pa.int64()), "b"),
        (INTEGER, pa.array([0, 2**64 - 1, 10**18, 10**18 - 1], pa.uint64()), "gbbg"),
        (INTEGER, pa.array([0, -(10**18), 1 - 10**18], pa.int64()), "gbg"),
        (INTEGER, pa.array([1.0]), "b"),
        (INTEGER, pa.array([True]), "b"),
        (INTEGER, pa.array([Decimal(1)]), "b"),
        (MONEY, pa.array([1.0, float("nan"), None]), "bbg"),
        ({}, pa.array([True, None]), "bg"),
        ({}, pa.array([Decimal(1)]), "b"),
        ({}, pa.array([b"\xff\xfe", None]), "bg"),
        ({}, pa.array([[1, 2]]), "b"),
        ({}, pa.array([{"a": 1}]), "b"),
        ({}, pa.array([timedelta(1)], pa.duration("us")), "b"),
        ({}, pa.array([1], pa.int64()).cast(pa.duration("ns")), "b"),
        ({}, pa.array([1], pa.int64()).cast(pa.time64("us")), "b"),
        ({}, pa.nulls(2), "gg"),
        ({}, pa.array(["a", None]).dictionary_encode(), "gg"),
        ({}, pa.array(["a", None], pa.string_view()), "gg"),
        ({}, pa.array([Decimal("1.5")], pa.decimal256(60, 2)), "b"),
    ],
)
def test_types(judge, field, values, expected) -> None:
    assert judge(field, values) == [["type"] if c == "b" else [] for c in expected]


@pytest.mark.fault("F31", "typed decimals keep their value or are rejected")
@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.decimal128(12, 4), ["1.5000", "1.5050", "-9999.9900", "10000.0000", None], "gsgsg"),
        (pa.decimal128(38, 0), ["9" * 38, "5"], "sg"),
        (pa.decimal128(4, 2), ["99.99"], "g"),
        (pa.decimal64(12, 3), ["1.500", "1.505"], "gs"),
        (pa.decimal256(60, 2), ["1.50", "9" * 50], "gs"),
    ],
)
def test_typed_decimals_are_exact(judge, kind, values, expected) -> None:
    array = pa.array([None if v is None else Decimal(v) for v in values], kind)
    assert judge(MONEY, array) == [["scale"] if c == "s" else [] for c in expected]


def test_integers_are_exact_decimals_and_text(contract_of, chunk_of, now, judge) -> None:
    assert typed(contract_of, chunk_of, now, MONEY, pa.array([7])) == [Decimal(7)]
    assert typed(contract_of, chunk_of, now, {}, pa.array([7, None])) == ["7", None]
    assert judge(MONEY, pa.array([9999, 10_000, -10_000])) == [[], ["scale"], ["scale"]]


@pytest.mark.fault("F24", "ambiguous and absent local times are quarantined")
def test_naive_typed_timestamps_are_local_time(contract_of, chunk_of, now, judge) -> None:
    local = [naive("2024-01-02T08:00"), naive("1988-09-11T01:30"), naive("1988-04-17T02:30")]
    for unit in ("us", "ms", "ns", "s"):
        values = pa.array(local, pa.timestamp(unit))
        assert judge(TIME, values) == [[], ["type"], ["type"]]
        good = typed(contract_of, chunk_of, now, TIME, values[:1])
        assert good == [datetime(2024, 1, 2, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (
            pa.array([naive("2024-01-02T08:00")], pa.timestamp("us")),
            ["2024-01-02T08:00:00.000000+08:00"],
        ),
        (
            pa.array([naive("1988-09-11T01:30")], pa.timestamp("us")),
            ["1988-09-11T01:30:00.000000"],
        ),
        (
            pa.array([naive("1900-01-01")], pa.timestamp("us", "UTC")),
            ["1900-01-01T08:00:00.000000+08:00"],
        ),
        (pa.array([2**62], pa.int64()).cast(pa.timestamp("us")), [str(2**62)]),
        (
            pa.array([1001], pa.int64()).cast(pa.timestamp("ns", "UTC")),
            ["1970-01-01T08:00:00.000001001+08:00"],
        ),
        (pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), [str(2**31 - 1)]),
        (pa.array([date(2024, 1, 2)]), ["2024-01-02"]),
        (pa.array([Decimal("1.50")]), ["1.50"]),
        (pa.array([b"\xff"]), ["ff"]),
        (pa.array([[1]]), ["[1]"]),
        (pa.array([True]), ["true"]),
    ],
)
def test_rejected_values_are_kept_as_text(contract_of, chunk_of, now, values, texts) -> None:
    contract = contract_of({"name": "f"}, {"name": "g", "required": True})
    chunk = chunk_of({"f": values, "g": pa.nulls(len(values))})
    rejected = compile_gate(contract).check(chunk, now).rejected
    assert [row.values["f"] for row in rejected] == texts
    assert "'" not in repr(rejected[0]).split("reasons")[0]


@pytest.mark.case("type-9", "a midnight is its date and a date its midnight, whatever the unit")
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("zone", "written", "day"),
    [
        (None, "2024-02-29T00:00:00", date(2024, 2, 29)),
        (None, "1900-01-01T00:00:00", date(1900, 1, 1)),
        (None, "1940-06-01T00:00:00", date(1940, 6, 1)),
        ("UTC", "2024-02-28T16:00:00", date(2024, 2, 29)),
        ("UTC", "1988-06-30T15:00:00", date(1988, 7, 1)),
        ("UTC", "1988-06-30T16:00:00", date(1988, 7, 1)),
        ("UTC", "1899-12-31T16:00:00", date(1900, 1, 1)),
    ],
)
def test_midnights(contract_of, chunk_of, now, judge, unit, zone, written, day) -> None:
    kind = pa.timestamp(unit, zone)
    values = pa.array([naive(written), None]).cast(kind)
    assert typed(contract_of, chunk_of, now, DATE, values) == [day, None]
    late = pa.array([naive(written) + timedelta(seconds=1)]).cast(kind)
    assert judge(DATE, late) == [["type"]]


@pytest.mark.case("type-9", "a date is its midnight at UTC+8, in summers with another time too")
def test_dates_are_midnights(contract_of, chunk_of, now, judge) -> None:
    days = pa.array([date(2024, 2, 29), date(1900, 1, 1), date(1988, 7, 1), None])
    assert typed(contract_of, chunk_of, now, TIME, days) == [
        datetime(2024, 2, 28, 16, tzinfo=UTC),
        datetime(1899, 12, 31, 16, tzinfo=UTC),
        datetime(1988, 6, 30, 16, tzinfo=UTC),
        None,
    ]
    assert judge(TIME, pa.array([date(1, 1, 1)])) == [["type"]], "there is no year 0 before it"


def test_what_could_not_be_read_costs_its_row_and_is_shown(contract_of, chunk_of, now) -> None:
    contract = contract_of({"name": "f", **TIME, "required": True})
    values = pa.array([naive("2024-01-02"), None, None], pa.timestamp("us"))
    chunk = chunk_of({"f": values}, unread={"f": {1: "0000-00-00"}})
    checked = compile_gate(contract).check(chunk, now)
    assert len(checked.good) == 1
    assert [(r.number, r.values["f"], [(x.field, x.rule) for x in r.reasons]) for r in
            checked.rejected] == [
        (2, "0000-00-00", [("f", "type")]),
        (3, None, [("f", "required")]),
    ]  # fmt: skip


@pytest.mark.fault("F29", "a value that a source could not give says by its own rule why not")
def test_why_a_value_could_not_be_read(contract_of, chunk_of, now) -> None:
    contract = contract_of({"name": "f", "type": "string", "semantic": "text", "max_length": 30})
    values = pa.array(["a", None, None, None, "b"])
    lost = {1: "410101199001011000", 2: "", 3: "#N/A"}
    rules = {1: "cell.rounded", 2: "cell.formula"}
    for chosen in (5, 2):
        chunk = chunk_of({"f": values}, unread={"f": lost}, because={"f": rules})
        shown = _first(chunk, chosen)
        checked = compile_gate(contract).check(shown, now)
        found = {r.number: (r.values["f"], [x.rule for x in r.reasons]) for r in checked.rejected}
        wanted = {
            2: ("410101199001011000", ["cell.rounded"]),
            3: ("", ["cell.formula"]),
            4: ("#N/A", ["type"]),
        }
        assert found == {n: said for n, said in wanted.items() if n <= chosen}
        assert checked.good["f"].to_list() == ["a", "b"][: 2 if chosen == 5 else 1]
