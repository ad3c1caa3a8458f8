"""Makes the virtual environment: `python3 tools/install.py .venv`.

Installs the locked packages by hash, with bytecode compiled (imports of Airflow and Great
Expectations take many times longer without). uv does it in seconds; where uv cannot be had, pip
does. Registries are whatever this machine's pip is configured for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

LOCK = "requirements.lock"
PIP_TO_UV = {
    "global.index-url": "UV_DEFAULT_INDEX",
    "global.extra-index-url": "UV_INDEX",
    "global.find-links": "UV_FIND_LINKS",
    "global.cert": "SSL_CERT_FILE",
    ":env:.index-url": "UV_DEFAULT_INDEX",
    ":env:.extra-index-url": "UV_INDEX",
    ":env:.find-links": "UV_FIND_LINKS",
    ":env:.cert": "SSL_CERT_FILE",
}


def run(*command: str, environment: dict[str, str] | None = None) -> bool:
    """Run a command, showing it; True when it succeeded."""
    print("+", " ".join(command), flush=True)  # noqa: T201 - a script's own output
    return subprocess.run(command, env=environment, check=False).returncode == 0  # noqa: S603


def uv_environment(python: str) -> dict[str, str]:
    """This process's environment, with pip's registry settings in uv's words."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Several registries count as one, as pip does it; the hashes of the lock say what is right.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    listing = subprocess.run(  # noqa: S603 - our own interpreter
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        name = PIP_TO_UV.get(key)
        if name:
            environment.setdefault(name, " ".join(value.strip("'\"").replace("\\n", " ").split()))
    return environment


def main() -> int:
    """Make the environment; 0 when everything is installed."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    venv.create(target, with_pip=True, clear=True)
    python = str(target / "bin" / "python")
    environment = uv_environment(python)
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    locked = False
    if run(*pip, "install", "-q", "uv", environment=environment):
        locked = run(
            str(target / "bin" / "uv"),
            "pip",
            "install",
            "-q",
            "--python",
            python,
            "--require-hashes",
            "--compile-bytecode",
            "-r",
            LOCK,
            environment=environment,
        )
    if not locked:
        locked = run(
            *pip,
            "install",
            "-q",
            "--no-deps",
            "--require-hashes",
            "-r",
            LOCK,
            environment=environment,
        ) and run(*pip, "check", environment=environment)
        run(python, "-m", "compileall", "-q", str(target / "lib"), environment=environment)
    own = run(
        *pip,
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-e",
        ".",
        environment=environment,
    )
    return 0 if locked and own else 1


if __name__ == "__main__":
    sys.exit(main())
