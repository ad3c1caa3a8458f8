"""Writes suites as a folder that needs Great Expectations and nothing of the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from quality.expectations.suites import SuiteProfile, suite
from schemas.models.contract import Contract

HERE = Path(__file__).parent
MODULE = "onecard_expectations"


def export(
    contracts: Iterable[Contract], folder: Path, profile: SuiteProfile = "production"
) -> list[Path]:
    """Write suites, the custom expectations and a README; returns the suites' files.

    Args:
        contracts: to write a suite for each.
        folder: that they are written into.
        profile: `production`, or `demo`, which knows the made-up division too.

    Raises:
        ConfigError: a field is written in a way that no suite can say.
    """
    suites = folder / "suites"
    suites.mkdir(parents=True, exist_ok=True)
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE / MODULE, folder / MODULE, ignore=skipped, dirs_exist_ok=True)
    shutil.copyfile(HERE / "readme.md", folder / "README.md")
    written = []
    for contract in contracts:
        file = suites / f"{contract.table}.json"
        text = json.dumps(suite(contract, profile), ensure_ascii=False, indent=1)
        file.write_text(text + "\n", encoding="utf-8")
        written.append(file)
    return written
