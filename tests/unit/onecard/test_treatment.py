"""Masks against the domain's vectors; tokens; generalisation; the last look before a batch leaves."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from onecard.crypto.keys import Key
from onecard.crypto.suites import suite
from onecard.deliver import treatment
from onecard.deliver.treatment import Tokeniser
from onecard.errors import PolicyError
from onecard.model.gate_inputs import GateInputs
from onecard.model.treated import TOKEN_PATTERN
from schemas.models import agreement_parts, catalogue, semantic

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


@pytest.mark.parametrize("name", semantic.load().masks)
@pytest.mark.parametrize("value", ["", "4", "41", "410105"])
def test_a_value_that_is_too_short_for_its_mask_does_not_fit_it(
    name: semantic.MaskName, value: str
) -> None:
    """A difference of lengths below nothing once asked for four thousand million stars."""
    found = masked(name, value)
    assert found is not None
    assert len(found) <= 2 * len(value)


def test_mask_vectors_of_the_domain(domain: Path) -> None:
    vectors = json.loads((domain / "oracle_vectors.json").read_text(encoding="utf-8"))["masks"]
    for name in ("NAME", "ID", "MOBILE", "LAST4", "LAST3"):
        for value, expected in vectors[name].items():
            assert masked(name, value) == expected


def tokeniser(secret: bytes = KEY.secret, name: str = "international") -> Tokeniser:
    return Tokeniser(suite(name), Key("2026", secret))


@pytest.mark.parametrize("name", ["international", "national"])
def test_a_token_is_keyed_stable_and_shaped(name: str) -> None:
    first = tokeniser(name=name).token("410199194901010014")
    assert re.match(TOKEN_PATTERN, first)
    assert first == tokeniser(name=name).token("410199194901010014")
    assert first != tokeniser(bytes(32), name).token("410199194901010014")
    assert first != tokeniser(name=name).token("410199198802290020")


@pytest.mark.parametrize(("name", "hashed"), [("international", "sha256"), ("national", "sm3")])
def test_a_token_is_the_base32_of_the_keyed_hash(name: str, hashed: str) -> None:
    for number in ("410199194901010014", "41019920121231103X"):
        digest = hmac.digest(KEY.secret, f"v1|{number}".encode(), hashed)
        assert tokeniser(name=name).token(number) == base64.b32encode(digest).decode()[:26]


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
    return GateInputs(F07, catalogue.load().contracts).fields


def test_treating_replaces_every_id_number() -> None:
    ids = ["410199194901010014", "410199198802290020", "410199194901010014", None]
    treated = treatment.treat(frame(ids), F07, fields(), tokeniser())
    assert tuple(treated.columns) == F07.names
    assert treated["person_token_ops"].to_list() == [
        None if i is None else tokeniser().token(i) for i in ids
    ]


def test_digests_are_those_of_the_column_that_is_asked_for() -> None:
    one = tokeniser()
    for numbers in (["410199194901010014"], ["410199198802290020"], [None]):
        found = one.tokens(pl.Series("v", numbers, dtype=pl.String)).to_list()
        assert found == [n and tokeniser().token(n) for n in numbers]


def test_without_a_key_nothing_leaves() -> None:
    with pytest.raises(PolicyError, match="no token key"):
        treatment.treat(frame(["410199194901010014"]), F07, fields(), None)


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
def test_generalisation(how: agreement_parts.Treatment, value: object, expected: object) -> None:
    shared = agreement_parts.SharedField(name="v", treatment=how)
    one = F07.model_copy(update={"fields": (shared,)})
    assert treatment.treat(pl.DataFrame({"v": [value]}), one, {}, None)["v"][0] == expected


def test_hours_are_local() -> None:
    shared = agreement_parts.SharedField(name="v", treatment="hour")
    one = F07.model_copy(update={"fields": (shared,)})
    at = pl.Series("v", [datetime(2026, 1, 1, 0, 59, tzinfo=UTC)]).cast(pl.Datetime("us", "UTC"))
    found = treatment.treat(at.to_frame(), one, {}, None)["v"][0]
    assert found.isoformat() == "2026-01-01T08:00:00+08:00"
