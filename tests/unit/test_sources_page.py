"""docs/sources.md says of files what the options' models say."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.unit.test_repository import ROOT, tool


def test_the_page_is_as_the_models_say() -> None:
    made = tool("make_sources")
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert made.page(text) == text
    assert all(f"| `{kind}` |" in text for kind in made.models(made.Format))


def test_a_page_that_is_old_is_found(tmp_path: Path) -> None:
    made = tool("make_sources")
    old = made.TARGET.read_text(encoding="utf-8").replace("`excel`", "`exel`")
    assert made.page(old) != old


def test_every_extra_is_told_for_every_platform() -> None:
    asked = tool("platforms")
    told = yaml.safe_load((ROOT / "docs" / "platforms.yaml").read_text(encoding="utf-8"))
    assert list(told["extras"]) == asked.extras()
    assert all(set(lacks) == set(asked.PLATFORMS) for lacks in told["extras"].values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert told["python"][0] == project["requires-python"].partition(">=")[2].partition(",")[0]
    drivers = {"kingbase", "oracle", "dm", "mssql", "mysql", "excel"}
    assert drivers <= set(told["extras"])
    assert all(told["extras"][name]["x86-64"] == [] for name in drivers)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (
            "cause: Because ksycopg2==2.9.1 has no wheels\n with a matching platform tag",
            ["ksycopg2"],
        ),
        ("Because polars-hash==0.9.3 has no usable wheels and onecard-hub", ["polars-hash"]),
        ("error: no route to host", []),
    ],
)
def test_what_uv_says_names_the_package(said: str, names: list[str]) -> None:
    assert tool("platforms").named(said) == names


def test_the_command_says_whether_it_is() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_sources.py"), "--check"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
