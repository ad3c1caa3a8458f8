"""Figures of the transfers: medians, ratios to the floor, limits; the section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.chart import Bar
from bench.measure import Run, cell, typical
from bench.results import Cells, Limit, Section

OURS = {
    "copy": "`psql COPY binary | psql COPY binary`, no key",
    "keyed": "`psql COPY binary | psql COPY binary`, then the primary key: the floor",
    "first": "**onecard collect**, first load, all checks",
    "same": "**onecard collect --whole**, nothing changed",
    "changed": "**onecard collect**, 1% changed behind the watermark",
}
DRAWN = {
    "copy": "COPY | COPY, no key",
    "keyed": "COPY | COPY, key: the floor",
    "first": "onecard, first load",
    "same": "onecard, nothing changed",
    "changed": "onecard, 1% changed",
}
FIRST, AHEAD, PEAK, LINEAR, SAME, CHANGED = 1.8, 1.3, 400.0, 2.1, 2.5, 4.0
HEADS = ("what", "seconds", "ratio", "rows/s", "CPU client", "CPU server", "CPU ratio", "peak MB")


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        rows: of the source.
        runs: of each way, by name: the keys of OURS, then peers.
        double: first loads of twice the rows.
        shares: of the rows that a peer was given, by its name.
        notes: what could not be measured.
    """

    rows: int
    runs: Mapping[str, list[Run]]
    double: list[Run]
    shares: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def seconds(self, name: str) -> float:
        """Median by the clock, scaled up to all rows."""
        return typical(self.runs[name]).seconds / self.shares.get(name, 1.0)

    def cpu(self, name: str) -> float:
        """Median of CPU seconds of client and server, scaled up to all rows."""
        return typical(self.runs[name]).cpu / self.shares.get(name, 1.0)

    def fastest(self) -> str | None:
        """The peer that was given all rows, or a part, and needed least time for all."""
        others = [name for name in self.runs if name not in OURS]
        return min(others, key=self.seconds) if others else None

    def limits(self) -> list[Limit]:
        """Every limit of the issue that these runs can tell about."""
        floor, first = self.seconds("keyed"), self.seconds("first")
        ours = [run for name in ("first", "same", "changed") for run in self.runs[name]]
        peak = max(run.megabytes for run in ours + self.double)
        same = self.seconds("same") / self.seconds("copy")
        found = [
            Limit("first load, ratio to COPY | COPY with the key", FIRST, first / floor),
            Limit("nothing changed, ratio to COPY | COPY without a key", SAME, same),
            Limit("1% changed, whole process, seconds", CHANGED, self.seconds("changed")),
            Limit("peak memory of ours, twice the rows too, MB", PEAK, peak),
        ]
        if self.double:
            twice = typical(self.double).seconds / first
            found.append(Limit("twice the rows, ratio of time", LINEAR, twice))
        best = self.fastest()
        if best:
            name = f"fastest peer without any check ({best}), ratio to the first load"
            found.append(Limit(name, AHEAD, self.seconds(best) / first, at_least=True))
        return found

    def bars(self) -> list[Bar]:
        """For the chart: ratios by the clock and by CPU seconds, all but the 1%."""
        return [
            Bar(
                DRAWN.get(name, name),
                self.seconds(name) / self.seconds("keyed"),
                self.cpu(name) / self.cpu("keyed"),
                ours=name in ("first", "same"),
            )
            for name in self.runs
            if name != "changed"
        ]


def section(found: Found) -> Section:
    """The section of the transfers."""
    rounds = len(found.runs["copy"])
    about = (
        f"{found.rows:,} card-master rows of 23 columns, PostgreSQL to PostgreSQL on one server, into"
        " a table that has the same primary key in the end (of a peer's table it is built as for"
        f" COPY, and its rows are counted); median of {rounds} interleaved rounds of whole processes,"
        " start included, each after a CHECKPOINT, so that none pays for pages that another has left."
        " Ratios: to COPY | COPY with the key in the same run, by the clock and by"
        " CPU seconds (client: the process and its children; server: all processes of PostgreSQL, whoever else uses it too)."
        " Peak: of the largest process of the client."
    )
    rows = [_row(found, name) for name in found.runs]
    if found.double:
        rows.append(_twice(found))
    picture = "![Ratios to COPY | COPY with the key](results.svg)"
    notes = (picture, *found.notes)
    return Section("transfers", "Transfers", "transfers", about, HEADS, rows, found.limits(), notes)


def _row(found: Found, name: str) -> Cells:
    share = found.shares.get(name, 1.0)
    note = "" if share == 1.0 else f" (measured on {share:.1%} and scaled: an upper bound)"
    moved = found.rows // 100 if name == "changed" else found.rows
    seconds, runs = found.seconds(name), found.runs[name]
    what = OURS.get(name, name) + note
    ratio = seconds / found.seconds("keyed")
    return what, f"{seconds:.1f}", f"{ratio:.2f}", *_rest(found, runs, moved / seconds, share)


def _twice(found: Found) -> Cells:
    seconds, rows = typical(found.double).seconds, 2 * found.rows
    what = f"**onecard collect**, first load of {rows:,} rows"
    ratio = f"{seconds / found.seconds('first'):.2f} × the first load"
    return what, f"{seconds:.1f}", ratio, *_rest(found, found.double, rows / seconds, 1.0)


def _rest(found: Found, runs: list[Run], speed: float, share: float) -> Cells:
    used = typical(runs)
    server = None if used.server is None else used.server / share
    ratio = used.cpu / share / found.cpu("keyed")
    peak = max(run.megabytes for run in runs)
    return cell(speed, 0), cell(used.client / share), cell(server), cell(ratio, 2), cell(peak, 0)
