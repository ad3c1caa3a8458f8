"""bench/RESULTS.md: sections between markers, each written by its own bench and kept by others."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import floor
from bench.measure import machine

FILE = Path(__file__).with_name("RESULTS.md")

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """What was allowed and what was measured; `at_least` where more is better."""

    name: str
    allowed: float
    measured: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the measured figure is within the limit."""
        return (self.measured >= self.allowed) if self.at_least else self.measured <= self.allowed

    def cells(self) -> Cells:
        """The limit as a row of its table."""
        missed = abs(self.measured / self.allowed - 1)
        verdict = "yes" if self.holds else f"no, missed by {missed:.0%}"
        allowed = f"at least {self.allowed:g}" if self.at_least else f"{self.allowed:g}"
        return self.name, allowed, _figure(self.measured), verdict


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        name: in its markers, `<!-- name -->` and `<!-- end of name -->`.
        title: its heading.
        module: that wrote it, as `python -m bench.<module>`.
        about: what was measured and how, in sentences.
        columns: heads of the table; the first one's cells stand left, the others' right.
        rows: cells, as many as heads.
        limits: each measured against what is allowed.
        notes: paragraphs after the tables: why a limit is missed, what could not be installed.
    """

    name: str
    title: str
    module: str
    about: str
    columns: Cells
    rows: Sequence[Cells]
    limits: Sequence[Limit] = ()
    notes: Sequence[str] = field(default=())

    def text(self, floor: str) -> str:
        """The section in Markdown; `floor` is a sentence on COPY | COPY of the machine."""
        load = os.getloadavg()[0]
        stamp = (
            f"Machine: {machine()}; load when it ended {load:.1f}. {floor} {self.about}"
            f" Made by `python -m bench.{self.module}`."
        )
        lines = [f"## {self.title}", "", stamp, "", *table(self.columns, self.rows)]
        if self.limits:
            heads = ("limit", "allowed", "measured", "holds")
            lines += ["", *table(heads, [limit.cells() for limit in self.limits], left=(0, 3))]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines)


def table(heads: Cells, rows: Sequence[Cells], left: Sequence[int] = (0,)) -> list[str]:
    """A table's lines in Markdown; `left` numbers the columns that are not figures."""
    line = "".join("---|" if number in left else "---:|" for number in range(len(heads)))
    written = [heads, *rows]
    if any(len(row) != len(heads) for row in written):
        msg = f"a row has not {len(heads)} cells"
        raise ValueError(msg)
    head, *body = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in r)} |" for r in written
    ]
    return [head, f"|{line}", *body]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def publish(options: Namespace, section: Section) -> None:
    """Write a section into the page, and print it.

    Args:
        options: of `bench.arguments`: `results` and `home`; with `rows`, the floor that the section
            names is measured on no more than those.
        section: what was measured.
    """
    rows = min(floor.FULL, getattr(options, "rows", 0))
    text = section.text(floor.today(options.home, rows).sentence())
    put(options.results, section.name, text)
    print(text)


def put(file: Path, name: str, text: str) -> None:
    """Write one section; every other section of the page stays as it is.

    Args:
        file: the page; made when it is missing.
        name: of the section, as its markers `<!-- name -->` and `<!-- end of name -->` say.
        text: what stands between the markers, in Markdown.
    """
    page = file.read_text(encoding="utf-8") if file.exists() else "# Benchmark results\n"
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}\n"
    known = re.compile(re.escape(begin) + ".*?" + re.escape(end) + r"\n?", re.DOTALL)
    if known.search(page):
        page = known.sub(lambda _: section, page, count=1)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    file.write_text(page, encoding="utf-8")
