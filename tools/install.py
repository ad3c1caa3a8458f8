"""Makes the virtual environment: `python3 tools/install.py .venv`.

Installs the locked packages by hash, with bytecode compiled (imports of Airflow and Great
Expectations take many times longer without). uv does it in seconds; where uv cannot be had, or
with ONECARD_INSTALLER=pip, pip does. Registries are whatever this machine's pip is configured for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

LOCK = "requirements.lock"
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
"""uv does not read pip's configuration; these are its words for pip's."""

SECTIONS = (":env:", "install", "global")
"""Where pip looks, strongest first."""


def run(*command: str, environment: dict[str, str], quiet: bool = False) -> bool:
    """Run a command, showing it; True when it succeeded. `quiet` shows output of failures only."""
    print("+", " ".join(command), flush=True)  # noqa: T201 - a script's own output
    done = subprocess.run(command, env=environment, check=False, capture_output=quiet)  # noqa: S603
    if quiet and done.returncode:
        sys.stderr.buffer.write(done.stdout + done.stderr)
    return done.returncode == 0


def in_uv_words(listing: Iterable[str]) -> dict[str, str]:
    """Environment variables for uv from the lines of `pip config list`."""
    found: dict[str, str] = {}
    settings = dict(line.partition("=")[::2] for line in listing)
    for option, variable in PIP_TO_UV.items():
        for section in SECTIONS:
            value = settings.get(f"{section}.{option}")
            if value and variable not in found:
                parts = value.strip("'\"").replace("\\n", " ").split()
                found[variable] = ("," if option == "find-links" else " ").join(parts)
    return found


def settings_of(python: str) -> dict[str, str]:
    """This process's environment, with pip's registry settings in uv's words."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    listing = subprocess.run(  # noqa: S603 - our own interpreter
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    # Several registries count as one, as pip does it; the hashes of the lock say what is right.
    wanted = {"UV_INDEX_STRATEGY": "unsafe-best-match"} | in_uv_words(listing.stdout.splitlines())
    return {**wanted, **environment}


def has_this_python(python: Path) -> bool:
    """Whether a working environment of this Python version stands there already."""
    if not python.exists():
        return False
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [python, "-c", "import sys, pip; print(*sys.version_info[:3])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split() == [str(part) for part in sys.version_info[:3]]


def install_locked(python: str, environment: dict[str, str]) -> bool:
    """Install the lock by hash, with uv or else with pip."""
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    with_uv = os.environ.get("ONECARD_INSTALLER") != "pip"
    if with_uv and run(*pip, "install", "-q", "uv", environment=environment, quiet=True):
        uv = (python, "-m", "uv", "pip", "install", "-q", "--python", python)
        if run(*uv, "--require-hashes", "--compile-bytecode", "-r", LOCK, environment=environment):
            return True
    # pip cannot resolve the lock's extras: everything is in the lock, and `pip check` proves it.
    options = ("--no-compile", "--no-deps", "--require-hashes", "-r", LOCK)
    if not run(*pip, "install", "-q", *options, environment=environment):
        return False
    packages = str(Path(python).parents[1] / "lib")
    # A few packages ship templates that are no Python; they do not compile and need not.
    run(python, "-m", "compileall", "-qq", "-j", "0", packages, environment=environment)
    return run(*pip, "check", environment=environment, quiet=True)


def main() -> int:
    """Make the environment; 0 when everything is installed."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    python = target / "bin" / "python"
    if not has_this_python(python):
        venv.create(target, with_pip=True, clear=True)
    environment = settings_of(str(python))
    own = ("-m", "pip", "--disable-pip-version-check", "install", "-q")
    options = ("--no-deps", "--no-build-isolation", "-e", ".")
    done = install_locked(str(python), environment) and run(
        str(python), *own, *options, environment=environment, quiet=True
    )
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
