"""Commands in processes that may be killed, and ones that listen (`onecard serve`, `ingest`)."""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import forked
from tests.waiting import LIMIT_S, until


@dataclass(frozen=True)
class Started:
    """A command, forked from a server that has imported everything.

    Attributes:
        folder: of its streams.
    """

    process: BaseProcess
    folder: Path

    @classmethod
    def begin(cls, environment: Mapping[str, str], folder: Path, *words: str) -> Started:
        """Start one.

        Args:
            environment: what it has beside that of the tests.
            folder: where its streams' files are made, below a folder of its own.
            words: the command and its arguments.
        """
        own = folder / f"{words[0]}-{secrets.token_hex(4)}"
        own.mkdir(parents=True)
        given = own / "given"
        given.touch()
        streams = given, own / "said", own / "complained"
        command = forked.Command({**os.environ, **environment}, words, *streams)
        process = forked.context.Process(target=forked.call, args=(command,))
        process.start()
        return cls(process, own)

    @property
    def said(self) -> str:
        """All that it has said."""
        files = [self.folder / name for name in ("said", "complained")]
        return "".join(f.read_text(encoding="utf-8") for f in files if f.exists())

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self.process.kill()
        self.gone()

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        os.kill(int(self.process.pid or 0), signal.SIGTERM)
        return self.gone()

    def gone(self) -> int:
        """Wait for its end; returns the exit code, of a signal negative."""
        self.process.join(LIMIT_S)
        assert self.process.exitcode is not None, f"it does not end: {self.said}"
        return self.process.exitcode


class Listening(Started):
    """A command that listens on a free port."""

    @classmethod
    def start(cls, environment: Mapping[str, str], folder: Path, *words: str) -> Listening:
        """Start one, and wait until it says where it listens.

        Args:
            environment: what it has beside that of the tests.
            folder: where its streams' files are made, below a folder of its own.
            words: the command and its arguments, without where it listens.
        """
        begun = cls.begin(environment, folder, *words, "--listen", "127.0.0.1:0")
        found = cls(begun.process, begun.folder)
        until(lambda: bool(found.url) or not found.process.is_alive(), "it listens")
        assert found.url, f"it ended: {found.said}"
        return found

    @property
    def url(self) -> str:
        """Where it listens; empty: it has not said so."""
        found = re.search(r"http://[\w.]+:\d+", self.said)
        return found[0] if found else ""
