"""Resolves pyproject.toml into the two locks: `.venv/bin/python tools/lock.py [--upgrade]`.

`requirements.lock` is everything that `make setup` installs: all extras and the groups of setup,
tests and lint. `production.lock` is the part of it that an installation runs (docker/Dockerfile).
Both are for Python 3.11 to 3.13 on every platform, with hashes and without any registry's name.
Versions that the lock already holds stay unless --upgrade is given.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from install import LOCK, settings_of

PRODUCTION = "production.lock"
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
)
EVERYTHING = ("--quiet", "--generate-hashes", "--all-extras", "--group=test", "--group=lint")
"""The peers of the group `bench` stay out: they live in an environment of their own."""

INSTALLATION = ("--extra=production", f"--constraints={LOCK}")


def resolve(*options: str) -> subprocess.CompletedProcess[str]:
    """Run uv's resolver on pyproject.toml; its output is the lock as text.

    Args:
        options: what of pyproject.toml goes in, and where the lock goes, in uv's words.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--group=setup"]
    return subprocess.run(  # noqa: S603 - our own interpreter
        [*command, *OPTIONS, *options],
        env=settings_of(sys.executable),
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def pins(lock: str) -> dict[str, str]:
    """The entries of a lock, each with its hashes, by the package's name."""
    entries = re.split(r"\n(?=[a-z0-9])", lock.strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def main() -> int:
    """Write both locks; 0 when both could be resolved."""
    code = resolve(*EVERYTHING, *sys.argv[1:], f"--output-file={LOCK}").returncode
    found = resolve(*INSTALLATION)
    if code or found.returncode:
        return code or found.returncode
    # Entries are taken over whole: a registry that lists fewer files must not lose their hashes.
    known = pins(Path(LOCK).read_text(encoding="utf-8"))
    entries = [known[name] for name in pins(found.stdout)]
    Path(PRODUCTION).write_text("\n".join(entries) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
