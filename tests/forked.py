"""Processes that cost their work and not their imports.

They are forked from a server that has imported everything and used nothing, so each begins as a
fresh interpreter would after its imports. `onecard` runs the command line in one of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from demo.rehearsal import REPOSITORY
from onecard.base import interrupts
from onecard.cli import entry
from onecard.cli.commands import COMMANDS

LIMIT_S = 240
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    [
        *sorted({command.target.partition(":")[0] for command in COMMANDS}),
        "adbc_driver_postgresql.dbapi",
        "connectors.files.connector",
        "connectors.rest.connector",
        "connectors.sql.connector",
        "connectors.sql.write",
        "onecard.app.wiring",
        "onecard.cli.app",
        "onecard.cli.entry",
        "onecard.daemon.serving",
        "onecard.deliver.treatment",
        "polars",
        "psycopg",
        "pyarrow.parquet",
        "quality.datasets.sql_audit",
        "quality.privacy.gate",
        "quality.rows.gate",
        "tests.faults.harness",
    ]
)


@dataclass(frozen=True, slots=True)
class Command:
    """A call of the command line: its process's environment, its words, files for its streams."""

    environment: Mapping[str, str]
    words: tuple[str, ...]
    given: Path
    said: Path
    complained: Path

    @property
    def begun(self) -> Path:
        """A file that is there when the process takes signals."""
        return self.given.with_name("begun")


def become(environment: Mapping[str, str]) -> None:
    """Take over an environment, as a process that starts with it has it."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it may have been looked up before TMPDIR was set


def onecard(
    environment: Mapping[str, str], *words: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `onecard` with these words, in the repository's folder; see `subprocess.run`.

    Args:
        environment: all of the process's environment.
        words: the command's arguments.
        given: its standard input.
    """
    with begun(environment, *words, given=given) as (process, command):
        process.join(LIMIT_S)
        if process.exitcode is None:
            raise subprocess.TimeoutExpired(words, LIMIT_S)
        said, complained = (
            file.read_text(encoding="utf-8") for file in (command.said, command.complained)
        )
        return subprocess.CompletedProcess(words, process.exitcode, said, complained)


@contextmanager
def begun(
    environment: Mapping[str, str], *words: str, given: str = ""
) -> Iterator[tuple[BaseProcess, Command]]:
    """Begin `onecard` with these words; its process, and where its streams are until the block ends.

    Args:
        environment: all of the process's environment.
        words: the command's arguments.
        given: its standard input.
    """
    with tempfile.TemporaryDirectory() as home:
        command = Command(
            dict(environment), words, *(Path(home) / n for n in ("given", "said", "complained"))
        )
        command.given.write_text(given, encoding="utf-8")
        process = context.Process(target=call, args=(command,))
        process.start()
        try:
            while process.is_alive() and not command.begun.exists():
                time.sleep(0.005)
            yield process, command
        finally:
            process.kill()
            process.join()


def call(command: Command) -> None:
    """Become a call of the command line; does not return."""
    become(command.environment)
    os.chdir(REPOSITORY)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run below nohup ignores it
    warnings.simplefilter("ignore")
    for stream, file, flags in (
        (0, command.given, os.O_RDONLY),
        (1, command.said, os.O_WRONLY | os.O_CREAT),
        (2, command.complained, os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(file, flags, 0o600), stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing closed it
    sys.argv = ["onecard", *command.words]
    interrupts.install()
    command.begun.touch()
    entry.main()
