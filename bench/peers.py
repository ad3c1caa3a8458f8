"""Peers that move the same rows without any check, installed in an environment of their own."""

from __future__ import annotations

import json
import subprocess
import tomllib
import venv
from collections.abc import Callable
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


def wanted() -> list[str]:
    """The peers' packages: the dependency group `bench` of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(package) for package in project["dependency-groups"]["bench"]]


def install(folder: Path, packages: list[str]) -> Path:
    """Make the peers' environment once, saying what cannot be had; returns its Python.

    Args:
        folder: of the environment, which also keeps a note of what was tried.
        packages: requirements, installed one by one by pip, so that one that cannot be had does
            not keep the others out.
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
    return python


def _install(python: Path, package: str) -> str:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", package]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  {package}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
    return MISSING if done.returncode else "installed"


def peers(folder: Path, w: World) -> list[Peer]:
    """The peers that can run here: their packages are there, and they can reach the server."""
    if make_url(w.source).host is None:
        print("  no peers: the embedded server has no TCP port; name one by ONECARD_BENCH_POSTGRES")
        return []
    python = install(folder, wanted())
    ingestr = folder / "bin" / "ingestr"
    sling = next(folder.glob("lib/*/site-packages/sling_linux_amd64/bin/sling*"), None)
    found = []
    if _has(python, "dlt"):
        found += [
            Peer(
                "dlt, default settings", _script(python, "dlt_load.py", "default", "100000"), 0.05
            ),
            Peer("dlt, ConnectorX and Parquet", _script(python, "dlt_load.py", "fast")),
        ]
    if ingestr.exists():
        found.append(Peer("ingestr", lambda w: _ingestr(ingestr, w)))
    if sling:
        found.append(Peer("sling", lambda w: _sling(sling, w)))
    if _has(python, "great_expectations"):
        name = "pandas with Great Expectations (by hand)"
        found.append(Peer(name, _script(python, "pandas_gx.py", "25000"), 0.0125))
    return found


def plain(url: str) -> str:
    """A URL over TCP with user and database, as every peer reads it."""
    parts = make_url(url)
    return f"postgresql://{parts.username}:{parts.password or 'x'}@{parts.host}:{parts.port or 5432}/{parts.database}"


def _script(python: Path, name: str, *more: str) -> Callable[[World], list[str]]:
    return lambda w: [str(python), str(SCRIPTS / name), plain(w.source), plain(w.target), *more]


def _ingestr(program: Path, w: World) -> list[str]:
    source = ["--source-uri", plain(w.source), "--source-table", "hrss.ac01_card"]
    target = ["--dest-uri", plain(w.target), "--dest-table", "peer.cards"]
    return [str(program), "ingest", "--yes", "--progress", "log", *source, *target]


def _sling(program: Path, w: World) -> list[str]:
    source, target = (f"{plain(url)}?sslmode=disable" for url in (w.source, w.target))
    program.chmod(0o755)
    read = ["--src-conn", "SRC", "--src-stream", "hrss.ac01_card"]
    write = ["--tgt-conn", "DST", "--tgt-object", "peer.cards", "--mode", "full-refresh"]
    return ["env", f"SRC={source}", f"DST={target}", str(program), "run", *read, *write]


def _has(python: Path, module: str) -> bool:
    code = subprocess.run(
        [str(python), "-c", f"import {module}"], capture_output=True, check=False
    ).returncode
    return code == 0
