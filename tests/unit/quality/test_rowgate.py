"""Each rule of a field by itself; accounting, numbers, warnings, damaged records."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from stdnum.cn.ric import calc_check_digit

from onecard.errors import FatalError, SchemaMismatch
from onecard.ports.row_gate import Reason
from onecard.ports.source import Chunk
from quality.rows.gate import compile_gate
from schemas.models import catalogue, semantic

pytestmark = pytest.mark.usefixtures("either_path")

ID = {"semantic": "id_number", "max_length": 18}
GOOD_ID = "11010519491231002X"
DEMO_ID = "410199194901010014"


def with_check(head: str) -> str:
    return head + calc_check_digit(f"{head}0")  # stdnum drops the last character itself


@pytest.mark.fault("F28", "full-width digits and line ends are rejected")
@pytest.mark.parametrize(
    ("field", "value", "rules"),
    [
        ({"required": True}, None, ["required"]),
        ({}, None, []),
        ({}, "", []),
        ({"max_length": 2}, "三个字", ["max_length"]),
        ({"max_length": 2}, "\U00020000\U00020001", []),
        *[({}, f"a{c}b", ["text.control"]) for c in ("\0", "\n", "\t", "\x1f", "\x7f", "\ufffd")],
        *[({}, f"a{c}b", []) for c in ("\u2028", "\x85", "\u3000", "·", "𠮷", " ")],
        ({"codes": ["card_status"], "semantic": "code"}, "ZZ", ["codes"]),
        ({"codes": ["card_status"], "semantic": "code"}, "1\n", ["codes"]),
        ({"codes": ["card_status"], "semantic": "code"}, "1", []),
        ({"semantic": "mobile"}, "13812345678", []),
        ({"semantic": "mobile"}, "13812345678\n", ["mobile.format"]),
        ({"semantic": "mobile"}, "１3812345678", ["mobile.format"]),
        ({"semantic": "mobile", "max_length": 11}, "138123456789", ["max_length", "mobile.format"]),
        ({"semantic": "person_name"}, "买买提·阿不都", []),
        ({"semantic": "person_name"}, "张三\u3000", ["person_name.format"]),
        ({"semantic": "person_name"}, "\x00张三", ["person_name.format"]),
        ({"semantic": "uscc"}, "91350100M000100Y43", []),
        ({"semantic": "uscc"}, "91110000600037342L", ["uscc.checksum"]),
        ({"semantic": "uscc"}, "91110000600O37341L", ["uscc.format"]),
        ({"semantic": "uscc"}, "91350100m000100y43", ["uscc.format"]),
        ({"semantic": "bank_account"}, "6222021702001234566", []),
        ({"semantic": "bank_account"}, "6222021702001234567", ["bank_account.luhn"]),
        ({"semantic": "bank_account"}, "622202170200123", ["bank_account.format"]),
        ({"semantic": "bank_account"}, "62220217020012345660", ["bank_account.format"]),
        ({"semantic": "bank_account"}, "622202 1702001234566", ["bank_account.format"]),
    ],
)
def test_rules_of_a_field(judge, field, value, rules) -> None:
    assert judge(field, [value]) == [rules]


@pytest.mark.fault("F28", "each is rejected, none is normalised")
@pytest.mark.fault("F29", "an ID number that ends in 0000 is flagged as rounded")
@pytest.mark.parametrize(
    ("value", "rules"),
    [
        (GOOD_ID, []),
        (GOOD_ID.lower(), ["format"]),
        (GOOD_ID[:17], ["format"]),
        (GOOD_ID + "\n", ["format"]),
        ("１1010519491231002X", ["format"]),
        ("110105 9491231002X", ["format"]),
        ("1101051949123100XX", ["format"]),
        ("", ["format"]),
        ("110105194912310021", ["checksum"]),
        ("110105194912310000", ["checksum", "rounded"]),
        ("410199194913310022", ["birth_date", "division"]),
        ("440524188001010014", []),
        (DEMO_ID, ["division"]),
    ],
)
def test_id_numbers(judge, value, rules) -> None:
    assert judge(ID, [value]) == [[f"id_number.{rule}" for rule in rules]]


def test_birth_dates_end_today_in_china_and_begin_in_1880(judge) -> None:
    """23:30 on the 24th in Zhengzhou is the 24th; the 25th is tomorrow."""
    heads = ["11010520261124001", "11010520261125001", "11010518800101001", "11010518791231001"]
    found = judge(ID, [with_check(head) for head in heads])
    assert found == [[], ["id_number.birth_date"], [], ["id_number.birth_date"]]


def test_demo_division_only_in_the_demo(judge) -> None:
    assert judge(ID, [DEMO_ID], profile="demo") == [[]]


def test_statistical_divisions_are_refused_and_unknown_ones_warned_of(
    contract_of, chunk_of, now
) -> None:
    heads = [f"{code}19900101001" for code in ("410171", "129999", "810000", "900001", "110105")]
    chunk = chunk_of({"f": [with_check(head) for head in heads]})
    checked = compile_gate(contract_of({"name": "f", **ID})).check(chunk, now)
    assert [r.number for r in checked.rejected] == [1]
    assert checked.rejected[0].reasons == (Reason("f", "id_number.division"),)
    assert checked.warnings == {Reason("f", "id_number.division"): 1}


def test_warnings_count_good_rows_only(contract_of, chunk_of, now) -> None:
    unknown = "12999919900101001"
    fields = (
        {"name": "f", **ID},
        {"name": "n", "type": "integer"},
        {"name": "g", "required": True},
    )
    check = {"check": "range", "field": "n", "min": 5}
    contract = contract_of(*fields, rules=[{"check": check, "severity": "warning"}])
    ids = [with_check(unknown)] * 2
    checked = compile_gate(contract).check(
        chunk_of({"f": ids, "n": ["1", "1"], "g": ["x", None]}), now
    )
    assert len(checked.good) == 1
    assert checked.warnings == {Reason("n", "rule_0"): 1, Reason("f", "id_number.division"): 1}


@pytest.mark.fault("F30", "lone surrogates are quarantined, the worker lives")
def test_text_that_is_no_utf8_is_quarantined_and_the_worker_lives(judge) -> None:
    data = b"ab\xed\xa0\x80c\xff" + "张".encode()
    offsets = pa.array([0, 2, 6, 7, 10], pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(pa.string(), 4, [None, offsets, pa.py_buffer(data)])
    assert judge({}, broken) == [[], ["text.control"], ["text.control"], []]
    assert judge({"semantic": "person_name"}, broken)[1] == ["person_name.format"]


@pytest.mark.fault("F30", "NUL, tab and line end are rejected in every type")
def test_no_semantic_type_lets_a_control_character_through(judge) -> None:
    for name, kind in semantic.load().types.items():
        for sample in ("1", "13812345678", "123456789", "张三", "2024-01", "G11010519491231002X"):
            for value in (f"{sample}\n", f"\x00{sample}", f"{sample[:1]}\t{sample[1:]}"):
                rules = judge({"semantic": name}, [value])[0]
                assert rules, (name, kind.title)


def test_damaged_records_have_one_reason_and_nothing_else(contract_of, chunk_of, now) -> None:
    chunk = chunk_of(
        {"f": [None, "x", None, "y"]},
        first_row=11,
        damaged={0: "record.cells", 2: "record.encoding"},
    )
    checked = compile_gate(contract_of({"name": "f", "required": True})).check(chunk, now)
    assert [(r.number, r.reasons) for r in checked.rejected] == [
        (11, (Reason("", "record.cells"),)),
        (13, (Reason("", "record.encoding"),)),
    ]
    assert checked.good["f"].to_list() == ["x", "y"]


def test_row_numbers_and_order_are_kept(contract_of, chunk_of, now) -> None:
    chunk = chunk_of({"f": ["a", None, "c", None]}, first_row=101)
    checked = compile_gate(contract_of({"name": "f", "required": True})).check(chunk, now)
    assert [r.number for r in checked.rejected] == [102, 104]
    assert checked.rejected[0].values == {"k": "k1", "f": None}
    assert checked.good["f"].to_list() == ["a", "c"]
    assert checked.good.columns == ["k", "f", "_row_hash"]
    assert checked.good["_row_hash"].dtype == pl.Int64


def test_an_empty_batch_and_a_wholly_bad_one(contract_of, chunk_of, now) -> None:
    gate = compile_gate(contract_of({"name": "f", "type": "date"}))
    empty = gate.check(chunk_of({"f": pa.array([], pa.string())}), now)
    assert (len(empty.good), empty.rejected) == (0, ())
    bad = gate.check(chunk_of({"f": ["x"] * 3}), now)
    assert (len(bad.good), len(bad.rejected)) == (0, 3)
    assert bad.good.schema == empty.good.schema


def test_the_hash_of_a_row_does_not_depend_on_its_batch(contract_of, chunk_of, now) -> None:
    fields = ({"name": "f"}, {"name": "d", "type": "date"}, {"name": "n", "type": "number"})
    gate = compile_gate(contract_of(*fields))
    columns = {"f": ["a", None, "c"], "d": ["2024-01-01", "x", None], "n": ["1", "2", None]}
    whole = gate.check(chunk_of(columns), now).good["_row_hash"].to_list()
    for i, kept in enumerate((0, 2)):
        keys = {"k": pa.array([f"k{kept}"])}
        one = chunk_of({**{n: v[kept : kept + 1] for n, v in columns.items()}, **keys})
        assert gate.check(one, now).good["_row_hash"].to_list() == [whole[i]]


@pytest.mark.fault("F32", "no silent NULL for a missing column")
def test_a_missing_column_is_a_schema_mismatch(contract_of, chunk_of, now) -> None:
    with pytest.raises(SchemaMismatch, match="field f"):
        compile_gate(contract_of({"name": "f"})).check(chunk_of({"g": ["x"]}), now)


def test_a_failing_check_names_no_value(contract_of, chunk_of, now, monkeypatch) -> None:
    gate = compile_gate(contract_of({"name": "f"}))
    secret = pl.exceptions.ComputeError("value 13812345678")

    def fail(*_args: object) -> None:
        raise secret

    monkeypatch.setattr(gate, "_check", fail)
    with pytest.raises(FatalError, match="made, rows from 1") as caught:
        gate.check(chunk_of({"f": ["x"]}), now)
    assert "138" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_every_contract_compiles_and_takes_empty_batches() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    for contract in catalogue.load().contracts.values():
        batch = pa.record_batch({name: pa.array([], pa.string()) for name in contract.names})
        assert len(compile_gate(contract).check(Chunk(batch, "made"), now).good) == 0


@pytest.mark.parametrize("module", ["quality.rows.gate", "quality.datasets.sql_audit"])
def test_the_hot_path_imports_neither_pandas_nor_great_expectations(module: str) -> None:
    probe = (
        f"import sys, {module}; "
        "sys.exit(any(m.split('.')[0] in ('pandas', 'great_expectations', 'airflow', 'connectors')"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
