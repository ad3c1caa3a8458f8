"""The gate with the compiled library, without it, and judging every row: one and the same."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from onecard import native
from onecard.errors import OnecardError
from onecard.ports.row_gate import Checked
from onecard.ports.source import Chunk
from quality.rows import quick
from quality.rows.gate import PolarsGate, compile_gate
from schemas.models.contract import Contract
from tests.property.hostile_rows import CONTRACTS, NOW, Rows, made_contract
from tests.sampling import how_often, sampled

QUICK = [(seed, 10_000) for seed in range(2)]
PARTS = int(os.environ.get("ONECARD_HOSTILE_PARTS") or how_often(3, 10))
NIGHTLY = [(seed, 100_000) for seed in range(2, 2 + PARTS)]
"""Seeds and rows: 300,000 at night, in parts that workers share; `make hostile`: five million."""
CHUNK = 12_000
needs_library = pytest.mark.skipif(native.library() is None, reason="needs a C compiler")


def gates(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> list[PolarsGate]:
    """With the library; without; and one whose every row is judged, check by check."""
    with_library = compile_gate(contract, profile="demo")
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    plain, judging = (compile_gate(contract, profile="demo") for _ in range(2))
    monkeypatch.delenv("ONECARD_NATIVE")
    passes = judging._right

    def none_right(batch):
        right, unlisted = passes(batch)
        return np.zeros_like(right), unlisted

    monkeypatch.setattr(judging, "_right", none_right)
    monkeypatch.setattr(quick, "MOST_DOUBTED", 1.0)
    return [with_library, plain, judging]


def result(gate: PolarsGate, chunk: Chunk) -> Checked | str:
    """What the gate makes of a chunk, a refusal of the whole chunk included."""
    try:
        return gate.check(chunk, NOW)
    except OnecardError as error:
        return f"{type(error).__name__}: {error}"


def assert_same(one: Checked | str, other: Checked | str, where: str) -> None:
    if isinstance(one, str) or isinstance(other, str):
        assert one == other, where
        return
    assert one.good.schema == other.good.schema, where
    assert one.good.equals(other.good, null_equal=True), f"{where}: other good rows"
    assert one.rejected == other.rejected, f"{where}: other rejected rows"
    assert dict(one.warnings) == dict(other.warnings), f"{where}: other warnings"


@needs_library
@pytest.mark.parametrize(("seed", "rows"), sampled([*QUICK, *NIGHTLY], QUICK))
def test_both_paths_and_the_judge_find_the_same(
    seed: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {seed}, {rows} rows")
    chance, left, told = random.Random(seed), rows, 0
    names = sorted(CONTRACTS)
    while left > 0:
        made = chance.random() < 0.5
        contract = made_contract(chance) if made else CONTRACTS[chance.choice(names)]
        fused, *others = gates(contract, monkeypatch)
        source = Rows(contract, chance)
        for _ in range(2):
            chunk = source.chunk(chance.randrange(min(CHUNK, rows // 8)))
            left -= chunk.batch.num_rows
            found = result(fused, chunk)
            told += fused._quick.look(chunk, NOW) is not None
            for other in others:
                assert_same(found, result(other, chunk), f"seed {seed}, {contract.id}, {left} left")
    assert told, "no chunk went through the library"
