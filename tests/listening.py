"""A command that listens (`onecard serve`, `onecard ingest`) in a process that may be killed."""

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
class Listening:
    """The command itself, forked from a server that has imported everything.

    Attributes:
        folder: of its streams.
    """

    process: BaseProcess
    folder: Path

    @classmethod
    def start(cls, environment: Mapping[str, str], folder: Path, *words: str) -> Listening:
        """Start one, and wait until it says where it listens.

        Args:
            environment: what it has beside that of the tests.
            folder: where its streams' files are made, below a folder of its own.
            words: the command and its arguments, without where it listens: a free port.
        """
        own = folder / f"{words[0]}-{secrets.token_hex(4)}"
        own.mkdir(parents=True)
        given = own / "given"
        given.touch()
        streams = given, own / "said", own / "complained"
        all_words = (*words, "--listen", "127.0.0.1:0")
        command = forked.Command({**os.environ, **environment}, all_words, *streams)
        process = forked.context.Process(target=forked.call, args=(command,))
        process.start()
        found = cls(process, own)
        until(lambda: bool(found._place) or not process.is_alive(), "it listens")
        assert found._place, f"it ended: {found.said}"
        return found

    @property
    def said(self) -> str:
        """All that it has said."""
        files = [self.folder / name for name in ("said", "complained")]
        return "".join(f.read_text(encoding="utf-8") for f in files if f.exists())

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._place

    @property
    def _place(self) -> str:
        found = re.search(r"http://[\w.]+:\d+", self.said)
        return found[0] if found else ""

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

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
