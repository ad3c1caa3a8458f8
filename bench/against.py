"""`python -m bench.against REVISION`: this checkout's collect beside that of an earlier revision.

The revision is cloned into the bench's folder and gets an environment of its own from its own lock;
both stay there for the next time. Both read the same table into hubs of their own, interleaved, and
in turns first: first load, everything again unchanged, 1% changed. Prints seconds, CPU seconds and
their ratios; exit 1 when one of the ratios of CPU seconds is above the limit. Writes no section.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import results, server
from bench.measure import Run, Used, cell, machine, run, typical
from bench.world import HOME, World, filled
from demo.hot import touch
from onecard.store import database

ROOT = Path(__file__).parents[1]
WAYS = {
    "first load": (),
    "everything again, unchanged": ("--whole",),
    "1% changed": (),
}
CHANGED = "1% changed"
HEADS = ("what", "before, s", "now, s", "ratio", "before, CPU s", "now, CPU s", "CPU ratio")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name, its command, and the hub that it fills in this round."""

    name: str
    onecard: Path
    world: World

    def run(self, *words: str) -> Run:
        """Run its command line on its hub; the CPU seconds of the server count as well."""
        environment = self.world.environment()
        return run([str(self.onecard), *words], environment=environment, server=self.world.hub)


def git(*words: str, folder: Path | None = None) -> str:
    """The output of a git command, in this checkout or another folder.

    Raises:
        SystemExit: it failed; git has said why.
    """
    done = subprocess.run(
        ["git", "-C", str(folder or ROOT), *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        msg = f"git {' '.join(words)} failed"
        raise SystemExit(msg)
    return done.stdout.strip()


def prepared(folder: Path, revision: str) -> Path:
    """The `onecard` of a revision, in a clone with an environment of its own, made when missing.

    Args:
        folder: of the clones.
        revision: whatever git knows a commit by.
    """
    commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
    clone = folder / commit[:12]
    done = clone / ".venv" / ".complete"
    if not done.exists():
        print(f"{revision}: cloning {commit[:12]} and making its environment", flush=True)
        shutil.rmtree(clone, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        git("clone", "-q", "--shared", "--no-checkout", str(ROOT), str(clone))
        git("checkout", "-q", commit, folder=clone)
        subprocess.run([sys.executable, "tools/install.py", ".venv"], cwd=clone, check=True)
        done.touch()
    return clone / ".venv" / "bin" / "onecard"


@contextmanager
def side(w: World, home: Path, name: str, onecard: Path) -> Iterator[Side]:
    """A side with an empty hub at its own newest revision, and keys of its own."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    place = f"{w.hub.partition('?')[0].rpartition('/')[2]}_{name}"
    hub = database.create_database(w.hub, place)
    try:
        made = Side(name, onecard, replace(w, home=home, hub=hub))
        made.run("db", "upgrade")
        made.run("keys", "init")
        yield made
    finally:
        database.drop_database(w.source, place)
        shutil.rmtree(home, ignore_errors=True)


def one_round(w: World, sides: list[Side], found: dict[tuple[str, str], list[Run]]) -> None:
    """Every way on both sides, one beside the other."""
    for way, words in WAYS.items():
        if way == CHANGED:
            touch(w.source, "hrss", 0.01)
        for one in sides:
            done = one.run("collect", "hrss/card_master", *words)
            one.world.check_registry()
            found[way, one.name].append(done)
            print(f"  {way}, {one.name}: {done.seconds:.2f} s, {done.cpu:.2f} CPU s", flush=True)


def rows(found: dict[tuple[str, str], list[Run]]) -> dict[str, tuple[Used, Used]]:
    """The typical run of each way: before and now."""
    return {way: (typical(found[way, "before"]), typical(found[way, "now"])) for way in WAYS}


def table(found: dict[str, tuple[Used, Used]]) -> list[str]:
    """The lines that are printed."""
    cells = []
    for way, (before, now) in found.items():
        clock = (before.seconds, now.seconds, now.seconds / before.seconds)
        cpu = (before.cpu, now.cpu, now.cpu / before.cpu)
        cells.append((way, *(cell(figure, 2) for figure in clock + cpu)))
    return results.table(HEADS, cells)


def main() -> int:
    """Entry point; 1 when something takes more CPU seconds than the limit allows."""
    words = ArgumentParser(description=__doc__)
    words.add_argument("revision", help="a commit, a tag or a branch of this repository")
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--limit", type=float, default=1.05, help="ratio of CPU seconds")
    words.add_argument("--home", type=Path, default=HOME, help="of servers, keys and clones")
    options = words.parse_args()
    programs = {
        "before": prepared(options.home / "revisions", options.revision),
        "now": Path(sys.executable).with_name("onecard"),
    }
    with server.running(options.home) as address:
        found = rows(measured(options, programs, address))
    print(f"Machine: {machine()}; {options.rows:,} cards; before: {options.revision}")
    print("\n".join(table(found)))
    slower = [way for way, (then, now) in found.items() if now.cpu > options.limit * then.cpu]
    if slower:
        print(f"more than {options.limit - 1:.0%} above: {', '.join(slower)}")
    return 1 if slower else 0


def measured(
    options: Namespace, programs: dict[str, Path], address: str
) -> dict[tuple[str, str], list[Run]]:
    """All runs, by way and side; each round on new hubs, and with the other side first."""
    found: dict[tuple[str, str], list[Run]] = defaultdict(list)
    with filled(options.home / "against", options.rows, address) as w:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            homes = {name: options.home / "against" / name for name in programs}
            with (
                side(w, homes["before"], "before", programs["before"]) as before,
                side(w, homes["now"], "now", programs["now"]) as now,
            ):
                one_round(w, [now, before] if number % 2 else [before, now], found)
    return found


if __name__ == "__main__":
    sys.exit(main())
