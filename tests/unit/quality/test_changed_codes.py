"""Code lists that change while a process goes on: what the next hub starts goes by the new ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from stdnum.cn.ric import calc_check_digit

from onecard.app.wiring import Hub
from onecard.base.settings import Settings
from onecard.collect.counties import Tally
from onecard.ports.row_gate import Reason
from quality.rows.gate import compile_gate
from schemas.models import catalogue, codes

NewHub = Callable[[], Hub]
HEAD = "12999919900101001"
UNLISTED = HEAD[:6]
DIVISION = Reason("f", "id_number.division")


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's code lists, where a test may change them."""
    folder, known = tmp_path / "codes", codes.codes
    shutil.copytree(codes.CODES, folder)
    monkeypatch.setattr(codes, "CODES", folder)
    monkeypatch.setattr(codes, "codes", lambda name: known(name, folder))
    return folder


@pytest.fixture
def new_hub(tmp_path: Path) -> NewHub:
    """Makes hubs, as a process that goes on does, over contracts that stand outside the package."""
    root = tmp_path / "schemas"
    root.mkdir()
    shutil.copy(catalogue.ROOT / "agencies.yaml", root)

    def made() -> Hub:
        hub = Hub(Settings(home=tmp_path, keys_file=tmp_path / "keys.json", schemas=root))
        assert hub.catalogue.agencies
        return hub

    return made


def add(lists: Path, name: str, code: str) -> None:
    with (lists / f"{name}.csv").open("a", encoding="utf-8") as file:
        file.write(f"{code},某地,a test\n")


def test_the_gate_goes_by_the_divisions_of_now(
    lists: Path, new_hub: NewHub, contract_of, chunk_of, now
) -> None:
    contract = contract_of({"name": "f", "semantic": "id_number", "max_length": 18})
    chunk = chunk_of({"f": [HEAD + calc_check_digit(f"{HEAD}0")]})
    new_hub()
    assert compile_gate(contract).check(chunk, now).warnings == {DIVISION: 1}
    add(lists, "division", UNLISTED)
    new_hub()
    assert compile_gate(contract).check(chunk, now).warnings == {}
    add(lists, "division_statistical", UNLISTED)
    new_hub()
    (rejected,) = compile_gate(contract).check(chunk, now).rejected
    assert rejected.reasons == (DIVISION,)


def test_rows_are_counted_by_the_counties_of_now(lists: Path, new_hub: NewHub, contract_of) -> None:
    contract = contract_of({"name": "f", "semantic": "division"})
    batch = pa.record_batch({"f": pa.array([UNLISTED])})

    def counted() -> dict[str, int]:
        new_hub()
        tally = Tally(contract)
        tally.add_read(batch)
        tally.add_quarantined([{"f": UNLISTED}])
        assert tally.read == tally.quarantined
        return dict(tally.read)

    assert counted() == {"": 1}
    add(lists, "division_zz", UNLISTED)
    assert counted() == {UNLISTED: 1}
