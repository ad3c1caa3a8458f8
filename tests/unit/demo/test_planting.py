"""The acceptance test of demo and gate together: what is planted is what is rejected, exactly."""

from __future__ import annotations

from collections import Counter
from functools import cache

import polars as pl
import pytest

from demo.calendar import Day
from demo.planting import Planter, Truth
from demo.run import TYPED
from demo.world import World
from onecard.ports.source import Chunk
from quality.rows.gate import PolarsGate, compile_gate
from schemas.models import catalogue

CONTRACTS = catalogue.load().contracts
PERSONS = 5000
RARE = ("housing_fund/hf_withdrawal",)
"""Datasets with fewer rows than kinds of defects in so small a city."""
Rows = Counter[tuple[str, tuple[tuple[str, str], ...]]]


@cache
def planted(
    dataset: str, day: int, seed: int, persons: int = PERSONS
) -> tuple[tuple[pl.DataFrame, ...], Truth]:
    contract = CONTRACTS[dataset]
    planter = Planter(contract, seed, day, as_text=contract.source.connection not in TYPED)
    blocks = World(seed, persons).rows(dataset, day)
    parts = tuple(part for block in blocks for part in planter.spoil(block) if len(part))
    return parts, planter.truth


def set_rules(dataset: str) -> set[str]:
    return {r.name for r in CONTRACTS[dataset].rules if r.check.check == "unique"}


def expected(dataset: str, truth: Truth) -> Rows:
    """What the row gate must find; `unique` rules are found in PostgreSQL."""
    contract, found = CONTRACTS[dataset], Counter()
    for defect in truth.defects:
        reasons = tuple(sorted((f, r) for f, r in defect["reasons"]))
        if reasons[0][1] not in set_rules(dataset):
            found["|".join(str(defect["key"][k]) for k in contract.key), reasons] += 1
    return found


@cache
def both_paths(dataset: str) -> tuple[PolarsGate, PolarsGate]:
    """The gate with the compiled library, and without it."""
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for word in ("on", "off"):
            patch.setenv("ONECARD_NATIVE", word)
            found.append(compile_gate(CONTRACTS[dataset], profile="demo"))
    return found[0], found[1]


def rejected(dataset: str, parts: tuple[pl.DataFrame, ...], day: int) -> Rows:
    contract, found = CONTRACTS[dataset], Counter()
    gate, plain = both_paths(dataset)
    for part in parts:
        table = part.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        chunk = Chunk(table.to_batches()[0], "made")
        checked, again = (g.check(chunk, Day(day).night) for g in (gate, plain))
        assert checked.good.equals(again.good)
        assert (checked.rejected, checked.warnings) == (again.rejected, again.warnings)
        for row in checked.rejected:
            reasons = tuple(sorted((r.field, r.rule) for r in row.reasons))
            found["|".join(str(row.values[k]) for k in contract.key), reasons] += 1
    return found


@pytest.mark.parametrize("seed", [1, 20240101, 999_983])
@pytest.mark.parametrize("day", [0, 1])
@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_the_gate_rejects_exactly_what_was_planted(dataset: str, day: int, seed: int) -> None:
    parts, truth = planted(dataset, day, seed)
    found, wanted = rejected(dataset, parts, day), expected(dataset, truth)
    assert found - wanted == Counter(), "wrongly rejected, or with other reasons"
    assert wanted - found == Counter(), "missed, or with other reasons"


@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_planting_twice_plants_the_same(dataset: str) -> None:
    first = planted(dataset, 0, 1)
    planted.cache_clear()
    second = planted(dataset, 0, 1)
    assert first[1].defects == second[1].defects
    assert all(a.equals(b) for a, b in zip(first[0], second[0], strict=True))


def test_at_least_thirty_kinds_are_planted() -> None:
    kinds = {
        rule
        for dataset in CONTRACTS
        for defect in planted(dataset, 0, 1)[1].defects
        for _, rule in defect["reasons"]
    }
    assert len(kinds) >= 30
    assert {
        "required", "type", "scale", "codes", "max_length", "text.control",
        "id_number.format", "id_number.checksum", "id_number.birth_date", "id_number.division",
        "id_number.rounded", "uscc.format", "uscc.checksum", "bank_account.luhn",
        "sex_matches_id", "birth_date_matches_id", "legal_transition", "once_a_month",
        "once_a_period", "total_is_sum_of_payers", "metro_has_station", "paid_within_due",
    } <= kinds  # fmt: skip


@pytest.mark.parametrize("dataset", sorted({*CONTRACTS} - {"health/death_notice"}))
def test_every_named_row_rule_of_large_datasets_is_broken_by_someone(dataset: str) -> None:
    contract = CONTRACTS[dataset]
    persons = 4 * PERSONS if dataset in RARE else PERSONS
    broken = {r for d in planted(dataset, 0, 1, persons)[1].defects for _, r in d["reasons"]}
    named = {r.name for r in contract.rules if r.severity == "error"}
    assert named - broken <= DERIVED.get(dataset, set())


DERIVED = {
    "medical_insurance/med_settlement": {
        "medfee_sumamt_not_negative",
        "fund_pay_sumamt_not_negative",
        "psn_part_amt_not_negative",
    }
}
"""Rules that cannot be broken without breaking a sum as well."""


@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_a_defect_leaves_its_row_s_key_intact_and_its_own(dataset: str) -> None:
    contract = CONTRACTS[dataset]
    parts, truth = planted(dataset, 0, 1)
    keys = [tuple(d["key"][k] for k in contract.key) for d in truth.defects]
    assert len(set(keys)) == len(keys)
    assert not any(value is None for key in keys for value in key)
    held = Counter(row for part in parts for row in part.select(contract.key).rows())
    assert all(held[key] >= 1 for key in keys)


@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_the_count_of_rows_and_repeats_is_true(dataset: str) -> None:
    contract = CONTRACTS[dataset]
    parts, truth = planted(dataset, 0, 1)
    keys = pl.concat([p.select(contract.key) for p in parts])
    assert truth.rows == len(keys)
    assert truth.duplicates == len(keys) - keys.n_unique()
