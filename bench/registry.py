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
        peers: whether it measures others too and can leave them out (`--no-peers`).
    """

    word: str
    section: str
    quick: tuple[str, ...]
    peers: bool = False


_FEW = ("--rows", "20000", "--rounds", "1")
_QUICK_PORTAL = ("--rows", "500", "--rounds", "3", "--first", "2026-10-20", "--checked", "2000")

PROGRAMS = (
    Program("transfers", "transfers", _FEW, peers=True),
    Program("gate", "gate", _FEW),
    Program("govern", "governed deliveries", (*_FEW, "--deliveries", "5", "--each", "1000")),
    Program("holding", "what consumers hold", ("--rows", "20000")),
    Program("reports", "stewards' reports", ("--rounds", "1")),
    Program("portal", "the stewards' portal", _QUICK_PORTAL),
    Program("ledger", "the live lane's ledger", ("--batches", "30", "--days", "10")),
    Program("reconcile", "reconciliation", (*_FEW, "--planted", "30")),
    Program("rejected", "rejected rows", ("--rows", "2000")),
    Program("night", "the city's night", ("--residents", "20000", "--share", "0.001")),
    Program("text", "text sources", _FEW),
    Program("offices", "files of offices", _FEW, peers=True),
    Program("workers", "more than one worker", (*_FEW, "--pages", "40")),
    Program("start", "start", ("--rounds", "3")),
    Program("live", "the live lane", ("--residents", "1000", "--share", "0.02")),
    Program("serve", "single persons", (*_FEW, "--calls", "400", "--seconds", "2")),
    Program("airflow_night", "the night by Airflow", ("--persons", "1000", "--rounds", "1")),
)
