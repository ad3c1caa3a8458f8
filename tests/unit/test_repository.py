"""The house rules that a machine can hold: layering, no machine paths, compose without passwords."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ("onecard", "connectors", "quality", "schemas", "demo", "bench", "dags", "sql")
OUTER = ("onecard/cli", "onecard/wiring.py", "onecard/night.py", "onecard/filecheck.py")
"""Parts of `onecard` that stand above wiring, not in the core."""


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def imports(path: Path) -> set[str]:
    """Top-level packages and our own modules that a file imports, type-checking imports left out."""
    found: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        n for n in tree.body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test))
    ]
    return tree


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def starts(names: set[str], *prefixes: str) -> set[str]:
    return {n for n in names if any(n == p or n.startswith(f"{p}.") for p in prefixes)}


def core() -> list[Path]:
    return [
        p
        for p in modules("onecard")
        if not any(str(p.relative_to(ROOT)).startswith(o) for o in OUTER)
    ]


@pytest.mark.parametrize(
    ("files", "forbidden"),
    [
        (core, ("connectors", "quality", "airflow", "demo", "onecard.wiring", "onecard.cli")),
        (
            lambda: modules("connectors"),
            ("quality", "airflow", "demo", "onecard.wiring", "onecard.cli", "onecard.hub"),
        ),
        (
            lambda: modules("quality"),
            ("connectors", "airflow", "demo", "onecard.wiring", "onecard.cli", "onecard.hub"),
        ),
        (lambda: modules("onecard"), ("airflow",)),
        (lambda: modules("demo"), ("airflow",)),
    ],
    ids=["core", "connectors", "quality", "airflow-in-onecard", "airflow-in-demo"],
)
def test_imports_point_one_way(files, forbidden: tuple[str, ...]) -> None:
    wrong = {str(p.relative_to(ROOT)): sorted(starts(imports(p), *forbidden)) for p in files()}
    assert {p: names for p, names in wrong.items() if names} == {}


def test_schemas_know_only_the_errors_of_onecard() -> None:
    for path in modules("schemas"):
        assert starts(imports(path), "connectors", "quality", "airflow", "demo") == set(), path
        used = {n for n in starts(imports(path), "onecard") if not n.startswith("onecard.errors")}
        assert used == set(), path


def test_no_path_of_a_machine_and_no_registry_address() -> None:
    bad = re.compile(
        r"(?<![\w.])/(work|farm)/|index-url[= ]+\S*://|https?://[a-z0-9.-]*(pypi|registry)"
    )
    listed = {}
    for path in tracked():
        if path.suffix in (".png", ".parquet") or path == Path(__file__):
            continue
        hits = bad.findall(path.read_text(encoding="utf-8", errors="replace"))
        if hits:
            listed[str(path.relative_to(ROOT))] = hits
    assert listed == {}


def test_the_lock_holds_hashes_and_every_direct_requirement() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    names = {m.lower() for m in re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==", lock, re.MULTILINE)}
    wanted = re.findall(r"^([a-zA-Z0-9._-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    assert {w.lower() for w in wanted} <= names
    assert "--hash=sha256:" in lock
    assert "://" not in lock


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_compose_has_no_password_and_every_variable_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert {u for u in used if re.search("PASSWORD|KEY|SECRET|TOKEN", u)} <= required
    assert not re.search(r"(PASSWORD|SECRET)\w*: *['\"]?[A-Za-z0-9]", text)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    explained = set(
        re.findall(
            r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert used <= explained
    filled = re.findall(r"^(\w*(?:PASSWORD|KEY|SECRET)\w*)=(.+)$", example, re.MULTILINE)
    assert filled == []


def test_compose_services_are_healthy_or_end_and_need_what_exists() -> None:
    services = compose()["services"]
    assert {
        "postgres",
        "mariadb",
        "redis",
        "sftp",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "worker",
    } <= set(services)
    for name, service in services.items():
        assert "healthcheck" in service or service.get("restart") == "no", name
        assert set(service.get("depends_on", {})) <= set(services), name


def test_readme_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", text)) <= targets
    assert "## 中文" in text or "# 中文" in text


def test_migration_head_is_the_newest_file() -> None:
    from onecard.hub.migrate import HEAD

    numbers = sorted(
        p.name.split("_")[0] for p in (ROOT / "sql/migrations/versions").glob("[0-9]*.py")
    )
    assert numbers[-1] == HEAD
    assert numbers == [f"{i:04d}" for i in range(1, len(numbers) + 1)]


def test_files_stay_readable() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in tracked()
        if p.suffix == ".py"
        and "tests" not in p.parts
        and (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}
