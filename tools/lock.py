"""Resolves requirements.in into requirements.lock: `.venv/bin/python tools/lock.py [--upgrade]`.

One lock for Python 3.11 to 3.13 on every platform, with hashes and without any registry's name.
Versions that the lock already holds stay unless --upgrade is given.
"""

from __future__ import annotations

import subprocess
import sys

from install import LOCK, settings_of

OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--quiet",
)


def main() -> int:
    """Write the lock; the exit code is uv's."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *sys.argv[1:]]
    command += ["requirements.in", "-o", LOCK]
    done = subprocess.run(command, env=settings_of(sys.executable), check=False)  # noqa: S603
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
