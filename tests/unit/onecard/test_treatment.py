"""Masks against the domain's vectors; tokens; generalisation; the last look before a batch leaves."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from onecard import treatment
from onecard.errors import PolicyError
from onecard.keys import Key
from schemas import agreement, catalogue, semantic

KEY = Key("2026", bytes(range(32)))
F07 = catalogue.load().agreement("f07-hrss-operator-card-status")


def masked(name: semantic.MaskName, value: str | None) -> str | None:
    frame = pl.DataFrame({"v": [value]}, schema={"v": pl.String})
    return frame.select(treatment.mask(name, pl.col("v")))["v"][0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NAME", "张三", "张*"),
        ("NAME", "张三丰", "张**"),
        ("NAME", "欧阳修远", "欧***"),
        ("NAME", "𠮷野家", "𠮷**"),
        ("ID", "11010519491231002X", "110***********002X"),
        ("MOBILE", "13812345678", "138****5678"),
        ("LAST4", "6222021702001234566", "***************4566"),
        ("LAST3", "A12345678", "******678"),
    ],
)
def test_masks(name: semantic.MaskName, value: str, expected: str) -> None:
    assert masked(name, value) == expected
    assert re.match(semantic.load().masks[name].pattern, expected)
    assert masked(name, None) is None


def test_mask_vectors_of_the_domain(domain: Path) -> None:
    vectors = json.loads((domain / "oracle_vectors.json").read_text(encoding="utf-8"))["masks"]
    for name in ("NAME", "ID", "MOBILE", "LAST4", "LAST3"):
        for value, expected in vectors[name].items():
            assert masked(name, value) == expected


def test_a_token_is_keyed_stable_and_shaped() -> None:
    first = treatment.token(KEY, "410199194901010014")
    assert re.match(treatment.TOKEN_PATTERN, first)
    assert first == treatment.token(KEY, "410199194901010014")
    assert first != treatment.token(Key("2026", bytes(32)), "410199194901010014")
    assert first != treatment.token(KEY, "410199198802290020")


def frame(ids: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person_token_ops": pl.Series(ids, dtype=pl.String),
            "to_status": ["2"] * len(ids),
            "effective_at": pl.Series([datetime(2026, 11, 1, tzinfo=UTC)] * len(ids)).cast(
                pl.Datetime("us", "UTC")
            ),
        }
    )


def fields() -> dict:
    return treatment.fields_of(F07, catalogue.load().contracts)


def test_treating_replaces_every_id_number() -> None:
    ids = ["410199194901010014", "410199198802290020", "410199194901010014", None]
    treated = treatment.treat(frame(ids), F07, fields(), KEY)
    treatment.assert_treated(treated, F07, fields())
    assert treated["person_token_ops"].to_list() == [
        None if i is None else treatment.token(KEY, i) for i in ids
    ]


def test_without_a_key_nothing_leaves() -> None:
    with pytest.raises(PolicyError, match="no token key"):
        treatment.treat(frame(["410199194901010014"]), F07, fields(), None)


def test_an_untreated_batch_is_stopped_without_showing_its_values() -> None:
    with pytest.raises(PolicyError) as caught:
        treatment.assert_treated(frame(["410199194901010014"]), F07, fields())
    assert "person_token_ops" in str(caught.value)
    assert "410199" not in str(caught.value)


def test_a_column_too_many_is_stopped() -> None:
    more = treatment.treat(frame([None]), F07, fields(), KEY).with_columns(extra=pl.lit(1))
    with pytest.raises(PolicyError, match="extra"):
        treatment.assert_treated(more, F07, fields())


@pytest.mark.parametrize(
    ("how", "value", "expected"),
    [
        ("year", datetime(1949, 12, 31).date(), "1949"),
        ("month", datetime(1949, 12, 31).date(), "1949-12"),
        ("day", datetime(1949, 12, 31).date(), "1949-12-31"),
        ("county", "410105001", "410105"),
        ("yuan", 12345, Decimal("123.45")),
        ("yuan", -5, Decimal("-0.05")),
    ],
)
def test_generalisation(how: agreement.Treatment, value: object, expected: object) -> None:
    shared = agreement.SharedField(name="v", treatment=how)
    one = F07.model_copy(update={"fields": (shared,)})
    assert treatment.treat(pl.DataFrame({"v": [value]}), one, {}, None)["v"][0] == expected


def test_hours_are_local() -> None:
    shared = agreement.SharedField(name="v", treatment="hour")
    one = F07.model_copy(update={"fields": (shared,)})
    at = pl.Series("v", [datetime(2026, 1, 1, 0, 59, tzinfo=UTC)]).cast(pl.Datetime("us", "UTC"))
    found = treatment.treat(at.to_frame(), one, {}, None)["v"][0]
    assert found.isoformat() == "2026-01-01T08:00:00+08:00"
