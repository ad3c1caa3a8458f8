"""The sections of the bench: one line for each, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """One section of RESULTS.md and the program that writes it.

    Attributes:
        word: the module, `python -m bench.<word>`, and the word for it on the command line.
        section: the name between its markers.
        quick: its options when the bench runs for a try.
    """

    word: str
    section: str
    quick: tuple[str, ...]


_FEW = ("--rows", "20000", "--rounds", "1")

PROGRAMS = (
    Program("transfers", "transfers", _FEW),
    Program("govern", "governed deliveries", (*_FEW, "--deliveries", "5", "--each", "1000")),
    Program("holding", "what consumers hold", ("--rows", "20000")),
    Program("reports", "stewards' reports", ("--rounds", "1")),
    Program("reconcile", "reconciliation", (*_FEW, "--planted", "30")),
    Program("workers", "more than one worker", (*_FEW, "--pages", "40")),
    Program("start", "start", ("--rounds", "3")),
)
