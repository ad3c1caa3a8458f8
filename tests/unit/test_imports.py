"""Imports point one way: the contracts of pyproject.toml are kept, and each of them can be broken."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.application.use_cases import read_user_options
from importlinter.configuration import configure
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

ROOT = Path(__file__).parents[2]
configure()
OPTIONS = read_user_options(str(ROOT / "pyproject.toml"))
PACKAGES: list[str] = OPTIONS.session_options["root_packages"]
CONTRACTS: dict[str, dict[str, Any]] = {c["id"]: c for c in OPTIONS.contracts_options}
TYPES: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}


def linted(folder: Path) -> tuple[int, str]:
    """Exit code and screen of `lint-imports` in a folder, as `make lint` runs it."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def kept(graph: grimp.ImportGraph, name: str) -> bool:
    """Whether the imports keep a contract."""
    kind = TYPES[CONTRACTS[name]["type"]]
    contract = kind(name, OPTIONS.session_options, CONTRACTS[name])
    return contract.check(graph, verbose=False).kept


@pytest.mark.parametrize("name", CONTRACTS)
def test_imports_point_one_way(graph: grimp.ImportGraph, name: str) -> None:
    assert kept(copy.deepcopy(graph), name)


@pytest.mark.parametrize(
    ("module", "imports", "contract"),
    [
        ("onecard.store.registry", "onecard.collect.run", "rooms"),
        ("onecard.collect.run", "onecard.deliver.run", "rooms"),
        ("onecard.model.holds", "onecard.ports.source", "rooms"),
        ("schemas.models.contract", "onecard.crypto.keys", "schemas"),
        ("onecard.base.settings", "schemas.models.contract", "schemas"),
        ("connectors.sql.connector", "quality.rows.parsing", "connectors-quality"),
        ("quality.rows.gate", "connectors.sql.connector", "connectors-quality"),
        ("connectors.rest.connector", "onecard.store.registry", "connectors-below"),
        ("connectors.files.write", "onecard.crypto.keys", "connectors-below"),
        ("quality.privacy.gate", "onecard.deliver.run", "quality-below"),
        (
            "quality.expectations.onecard_expectations.forms",
            "schemas.models.rules",
            "suites-alone",
        ),
        ("onecard.collect.run", "connectors", "joined-above"),
        ("onecard.store.registry", "quality.rows.gate", "joined-above"),
        ("onecard.deliver.run", "onecard.app.wiring", "wiring"),
        ("onecard.app.wiring", "demo.world", "edges"),
        ("onecard.app.wiring", "airflow", "airflow"),
        ("connectors.files.folder", "connectors.files.sftp", "no-circles"),
        ("connectors.common.strict_json", "connectors.rest.client", "no-circles"),
    ],
)
def test_an_import_against_the_direction_is_found(
    graph: grimp.ImportGraph, module: str, imports: str, contract: str
) -> None:
    assert module in graph.modules
    assert imports in graph.modules
    worse = copy.deepcopy(graph)
    worse.add_import(importer=module, imported=imports)
    assert not kept(worse, contract)


def test_lint_refuses_a_bad_import_and_a_room_without_a_place(tmp_path: Path) -> None:
    """The command that `make lint` runs, on a copy of all packages: once as it is, once spoilt."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            target = tmp_path / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    assert linted(tmp_path)[0] == 0
    attic = tmp_path / "onecard" / "attic"
    attic.mkdir()
    (attic / "__init__.py").write_text("")
    hidden = "\n\ndef f() -> None:\n    from onecard.store import registry\n"
    with (tmp_path / "connectors" / "rest" / "connector.py").open("a") as stream:
        stream.write(hidden)
    code, screen = linted(tmp_path)
    assert code == 1
    assert "attic" in screen
    assert "connectors.rest.connector -> onecard.store" in screen
