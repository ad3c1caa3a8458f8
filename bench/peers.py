"""Peers that move the same rows without any check, installed in an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.world import World

PACKAGES = [
    "dlt[postgres,parquet,sql-database]",
    "connectorx",
    "psycopg[binary]",
    "psycopg2-binary",
    "adbc-driver-postgresql",
    "ingestr==1.0.78",
    "sling-linux-amd64",
    "pandas",
    "great-expectations",
    "sqlalchemy",
]
"""ingestr: the newest that brings its program in the package; later ones download it at run time."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way in which others do it.

    Attributes:
        share: of the rows it is given; its time is scaled up (slow ones).
    """

    name: str
    command: Callable[[World], list[str]]
    share: float = 1.0


def install(folder: Path) -> Path:
    """Make the peers' environment once; returns its Python."""
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
        from install import uv_environment

        uv = str(Path(sys.executable).with_name("uv"))
        for package in PACKAGES:  # one that cannot be had does not keep the others out
            code = subprocess.run(
                [
                    uv,
                    "pip",
                    "install",
                    "-q",
                    "--compile-bytecode",
                    "--python",
                    str(python),
                    package,
                ],
                env=uv_environment(sys.executable),
                check=False,
            ).returncode
            print(f"  {package}: {'installed' if code == 0 else 'cannot be had'}", flush=True)
        done.touch()
    return python


def peers(folder: Path) -> list[Peer]:
    """The peers whose packages are there."""
    python = install(folder)
    scripts = Path(__file__).parent / "peer_scripts"

    def script(name: str, *more: str) -> Callable[[World], list[str]]:
        return lambda w: [str(python), str(scripts / name), plain(w.source), plain(w.target), *more]

    found = []
    if _has(python, "dlt"):
        found += [
            Peer("dlt, default settings", script("dlt_load.py", "default", "100000"), share=0.05),
            Peer("dlt, ConnectorX and Parquet", script("dlt_load.py", "fast")),
        ]
    if (folder / "bin" / "ingestr").exists():
        found.append(
            Peer(
                "ingestr",
                lambda w: [
                    str(folder / "bin" / "ingestr"),
                    "ingest",
                    "--yes",
                    "--progress",
                    "log",
                    "--source-uri",
                    plain(w.source),
                    "--source-table",
                    "hrss.ac01_card",
                    "--dest-uri",
                    plain(w.target),
                    "--dest-table",
                    "peer.cards",
                ],
            )
        )
    sling = next(folder.glob("lib/*/site-packages/sling_linux_amd64/bin/sling*"), None)
    if sling:
        found.append(Peer("sling", lambda w: _sling(sling, w)))
    if _has(python, "great_expectations"):
        found.append(
            Peer(
                "pandas with Great Expectations (by hand)",
                script("pandas_gx.py", "25000"),
                share=0.0125,
            )
        )
    return found


def plain(url: str) -> str:
    """A URL over TCP with user and database, as every peer reads it."""
    parts = make_url(url)
    return f"postgresql://{parts.username}:{parts.password or 'x'}@{parts.host}:{parts.port or 5432}/{parts.database}"


def _sling(program: Path, w: World) -> list[str]:
    source, target = (f"{plain(url)}?sslmode=disable" for url in (w.source, w.target))
    program.chmod(0o755)
    return [
        "env",
        f"SRC={source}",
        f"DST={target}",
        str(program),
        "run",
        "--src-conn",
        "SRC",
        "--src-stream",
        "hrss.ac01_card",
        "--tgt-conn",
        "DST",
        "--tgt-object",
        "peer.cards",
        "--mode",
        "full-refresh",
    ]


def _has(python: Path, module: str) -> bool:
    code = subprocess.run(
        [str(python), "-c", f"import {module}"],
        capture_output=True,
        env={**os.environ},
        check=False,
    ).returncode
    return code == 0
