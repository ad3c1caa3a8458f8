"""Asks the package index for which platforms each extra has wheels.

The versions are those of requirements.lock. Writes docs/platforms.yaml, from which
tools/make_sources.py makes a table of docs/sources.md. Only this tool asks the index; a test holds
the file against pyproject.toml.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from install import LOCK, settings_of  # noqa: E402 - beside this file

TARGET = ROOT / "docs" / "platforms.yaml"
PLATFORMS = {"x86-64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
PYTHONS = ("3.11", "3.13")
"""The oldest and the newest that pyproject.toml names."""
_WITHOUT = re.compile(r"\b([A-Za-z0-9][\w.-]*?)(?:==\S+)? has no (?:usable )?wheels", re.IGNORECASE)
HEAD = f"""# Which extras have wheels for which platforms, in the versions of {LOCK}: the packages
# that have none, or nothing. Made by tools/platforms.py, which asks the package index.
"""


def extras() -> list[str]:
    """The extras that bring packages of others, in the order of their names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = project["optional-dependencies"]
    return sorted(n for n, listed in found.items() if not any("onecard-hub" in p for p in listed))


def without_wheels(extra: str, platform: str, python: str) -> list[str]:
    """Packages of an extra that have no wheel for a platform; `?` where that cannot be told.

    Args:
        extra: its name.
        platform: in uv's words.
        python: version.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += [f"--extra={extra}", f"--python-platform={platform}", f"--python-version={python}"]
    command += ["--only-binary=:all:", f"--constraints={LOCK}"]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command,
        cwd=ROOT,
        env=settings_of(sys.executable),
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.returncode:
        return []
    return named(done.stderr) or ["?"]


def named(said: str) -> list[str]:
    """The packages that have no wheel, by what uv says."""
    return sorted(set(_WITHOUT.findall(" ".join(said.split()))))


def page() -> Iterator[str]:
    """The file, line by line."""
    yield HEAD
    yield f"date: {datetime.now(UTC).date()}\n"
    yield f"python: [{', '.join(repr(p) for p in PYTHONS)}]\n"
    yield "extras:\n"
    for extra in extras():
        lacks = {
            name: sorted({p for v in PYTHONS for p in without_wheels(extra, platform, v)})
            for name, platform in PLATFORMS.items()
        }
        told = ", ".join(f"{n}: [{', '.join(map(repr, p))}]" for n, p in lacks.items())
        yield f"  {extra}: {{{told}}}\n"


def main() -> int:
    """Write the file."""
    TARGET.write_text("".join(page()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
