"""Peers that move the same rows without any check, installed in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import venv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.world import World

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parent / "peer_scripts"
MISSING = "cannot be had"


@dataclass(frozen=True, slots=True)
class Peer:
    """One way in which others do it.

    Attributes:
        share: of the rows it is given; its time is scaled up (slow ones).
    """

    name: str
    command: Callable[[World], list[str]]
    share: float = 1.0


def wanted(group: str = "bench") -> list[str]:
    """A group of the peers' packages in pyproject.toml: `bench`, or `bench-offline`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(package) for package in project["dependency-groups"][group]]


def install(folder: Path, packages: list[str]) -> dict[str, str]:
    """Make the peers' environment once, saying what cannot be had.

    Args:
        folder: of the environment, which also keeps a note of what was tried.
        packages: requirements, installed one by one by pip, so that one that cannot be had does
            not keep the others out.

    Returns:
        What came of each package.
    """
    python, note = folder / "bin" / "python", folder / "tried.json"
    tried = json.loads(note.read_text()) if note.exists() and python.exists() else {}
    if list(tried) != packages:
        print("installing the peers into an environment of their own", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        tried = {package: _install(python, package) for package in packages}
        note.write_text(json.dumps(tried, indent=1))
    for package, outcome in tried.items():
        if outcome == MISSING:
            print(f"  {package}: {MISSING} (rm -r {folder} to try again)", flush=True)
    return {str(package): str(outcome) for package, outcome in tried.items()}


def _install(python: Path, package: str) -> str:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", package]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  {package}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
    return MISSING if done.returncode else "installed"


def peers(folder: Path, w: World) -> tuple[list[Peer], list[str]]:
    """The peers that can run here, and sentences on those that cannot.

    The newest ingestr and sling fetch their programs when they first run; where they cannot, the
    newest releases that bring theirs in the package stand in.
    """
    if make_url(w.source).host is None:
        note = (
            "No peers: the server has no TCP port (`python -m bench` gives the embedded one one)."
        )
        print(f"  {note}")
        return [], [note]
    newest, offline = folder / "newest", folder / "offline"
    tried = install(newest, wanted())
    notes = [f"{package}: {MISSING}." for package, outcome in tried.items() if outcome == MISSING]
    found = _scripts(newest / "bin" / "python")
    for name, command, own in (
        ("ingestr", _ingestr, ["bin/ingestr"]),
        ("sling", _sling, ["bin/sling", "lib/*/site-packages/sling_linux_*/bin/sling*"]),
    ):
        program = _program(newest, own)
        if program is None:
            install(offline, wanted("bench-offline"))
            program = _program(offline, reversed(own))
        if program is None:
            notes.append(f"{name}: {MISSING}.")
            continue
        version = _version(program)
        if program.is_relative_to(offline):
            notes.append(
                f"{name}: the newest release fetches its program when it first runs, which could"
                f" not be had here; measured is {version}, the newest that brings it along."
            )
        found.append(Peer(f"{name} {version}", _bound(command, program)))
    return found, notes


def _scripts(python: Path) -> list[Peer]:
    """Peers that are libraries: programs of the bench's own that use them as their guides say."""
    found = []
    if _has(python, "dlt"):
        name = f"dlt {_release(python, 'dlt')}"
        plainly = _script(python, "dlt_load.py", "default", share=0.05)
        quickly = _script(python, "dlt_load.py", "fast")
        found += [
            Peer(f"{name}, default settings", plainly, 0.05),
            Peer(f"{name}, ConnectorX and Parquet", quickly),
        ]
    if _has(python, "great_expectations"):
        name = "pandas with Great Expectations (by hand)"
        found.append(Peer(name, _script(python, "pandas_gx.py", share=0.0125), 0.0125))
    return found


def _program(folder: Path, patterns: Iterable[str]) -> Path | None:
    """The first program of an environment that starts."""
    for pattern in patterns:
        for program in sorted(folder.glob(pattern)):
            program.chmod(0o755)
            if _version(program):
                return program
    return None


def _version(program: Path) -> str:
    """What a program says of its version; empty when it does not start."""
    done = subprocess.run(
        [str(program), "--version"],
        env={**os.environ, **_own(program)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).split()
    return said[-1].removeprefix("v") if done.returncode == 0 and said else ""


def _own(program: Path) -> dict[str, str]:
    """Variables that give a program a home of its own: what it fetches stays in the bench's."""
    home = str(next(folder for folder in program.parents if (folder / "pyvenv.cfg").exists()))
    return {"HOME": home, "DISABLE_TELEMETRY": "true", "SLING_DISABLE_TELEMETRY": "true"}


def _bound(
    command: Callable[[Path, World], list[str]], program: Path
) -> Callable[[World], list[str]]:
    own = [f"{name}={value}" for name, value in _own(program).items()]
    return lambda w: ["env", *own, *command(program, w)]


def plain(url: str) -> str:
    """A URL over TCP with user and database, as every peer reads it."""
    parts = make_url(url)
    return f"postgresql://{parts.username}:{parts.password or 'x'}@{parts.host}:{parts.port or 5432}/{parts.database}"


def _script(
    python: Path, name: str, *more: str, share: float = 1.0
) -> Callable[[World], list[str]]:
    def words(w: World) -> list[str]:
        rows = [] if share == 1.0 else [str(round(w.rows * share))]
        return [str(python), str(SCRIPTS / name), plain(w.source), plain(w.target), *more, *rows]

    return words


def _ingestr(program: Path, w: World) -> list[str]:
    source = ["--source-uri", plain(w.source), "--source-table", "hrss.ac01_card"]
    target = ["--dest-uri", plain(w.target), "--dest-table", "peer.cards"]
    return [str(program), "ingest", "--yes", "--progress", "log", *source, *target]


def _sling(program: Path, w: World) -> list[str]:
    source, target = (f"{plain(url)}?sslmode=disable" for url in (w.source, w.target))
    read = ["--src-conn", "SRC", "--src-stream", "hrss.ac01_card"]
    write = ["--tgt-conn", "DST", "--tgt-object", "peer.cards", "--mode", "full-refresh"]
    return ["env", f"SRC={source}", f"DST={target}", str(program), "run", *read, *write]


def _has(python: Path, module: str) -> bool:
    code = subprocess.run(
        [str(python), "-c", f"import {module}"], capture_output=True, check=False
    ).returncode
    return code == 0


def _release(python: Path, package: str) -> str:
    show = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-c", show], capture_output=True, text=True, check=False)
    return done.stdout.strip()
