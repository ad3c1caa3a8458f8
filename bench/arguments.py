"""The words that every section of the bench understands."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from bench.results import FILE
from bench.world import HOME


def parser(about: str | None, *, rows: int | None = None, rounds: int | None = 3) -> ArgumentParser:
    """A section's command line: `--rows`, `--rounds`, `--home` and `--results`.

    Args:
        about: the module's docstring.
        rows: how many by default; None: the section has no such choice.
        rounds: interleaved, by default; None: as with `rows`.
    """
    words = ArgumentParser(description=about)
    if rows is not None:
        words.add_argument("--rows", type=int, default=rows)
    if rounds is not None:
        words.add_argument("--rounds", type=int, default=rounds)
    words.add_argument("--home", type=Path, default=HOME, help="of servers, keys and peers")
    words.add_argument("--results", type=Path, default=FILE, help="the page that is written")
    return words
