"""COPY | COPY, the floor: what moving rows costs where nobody looks at them.

`psql COPY binary | psql COPY binary` of the card master between two databases of one server, into
a table without a key, and into one that then gets the primary key of the registry's table. Measured
once a day and start of the machine, and kept in the bench's folder, so that every section can say
how fast its machine was.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import Run, psql, run, typical
from bench.world import TABLE, World, filled
from demo.hot import DATASET
from demo.tables import create_postgres
from schemas.models import catalogue

FULL = 2_000_000
KEY_MEMORY = "SET maintenance_work_mem = '256MB'"
"""As the hub's own publish builds its key (onecard/store/staging.py)."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of COPY | COPY on this machine, and CPU seconds of client and server.

    Attributes:
        rows: of the card master, 23 columns.
        bare, bare_cpu: without a key.
        keyed, keyed_cpu: with the primary key, built after the rows.
        made: date and start of the machine, which tell whether it still speaks of this one.
    """

    rows: int
    bare: float
    bare_cpu: float
    keyed: float
    keyed_cpu: float
    made: str

    def sentence(self) -> str:
        """What a section says of its machine."""
        return (
            f"COPY | COPY of {self.rows:,} cards there that day: {self.bare:.1f} s"
            f" ({self.bare_cpu:.1f} CPU s), with primary key {self.keyed:.1f} s"
            f" ({self.keyed_cpu:.1f} CPU s)."
        )


def copy(w: World, *, keyed: bool) -> Run:
    """One COPY | COPY into an empty table of the target; `keyed`: it then gets its primary key."""
    contract = catalogue.load().contract(DATASET)
    w.empty_target()
    create_postgres(w.target, "peer", "ac01_card", contract)
    out = [psql(), "-qX", w.source, "-c", f"COPY {TABLE} TO STDOUT (FORMAT binary)"]
    w.settle()
    into = [psql(), "-qX", w.target, "-c", "COPY peer.ac01_card FROM STDIN (FORMAT binary)"]
    done = run(out, into, then=[add_key(w)] if keyed else [], server=w.target)
    w.check_target(keyed=keyed)
    return done


def add_key(w: World) -> list[str]:
    """The command that gives the one table of the target the key that the registry's table has.

    Peers name table and column in their own way: both are looked up, with or without capitals.
    """
    contract = catalogue.load().contract(DATASET)
    (key,) = (contract.field(name).native for name in contract.key)
    found = (
        "SELECT c.oid::regclass AS t, a.attname AS k FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
        " WHERE c.relnamespace = 'peer'::regnamespace"
        f" AND lower(a.attname) = '{key.lower()}'"
    )
    alter = f"""DO $$ DECLARE f record; BEGIN
      FOR f IN {found} LOOP
        EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (%I)', f.t, f.k);
      END LOOP; END $$"""
    return [psql(), "-qX", "-v", "ON_ERROR_STOP=1", w.target, "-c", KEY_MEMORY, "-c", alter]


def today(home: Path, rows: int = 0, rounds: int = 3) -> Floor:
    """The floor of this machine today: as kept in `home`, or measured now.

    Args:
        home: of the bench.
        rows: at least so many; a floor of fewer is measured again. 0: whatever is kept will do,
            and FULL where nothing is.
        rounds: median of so many.
    """
    note = home / "floor.json"
    if note.exists():
        kept = Floor(**json.loads(note.read_text(encoding="utf-8")))
        if kept.made == _now() and kept.rows >= rows:
            return kept
    rows = rows or FULL
    with filled(home / "hub", rows) as w:
        runs = [(copy(w, keyed=False), copy(w, keyed=True)) for _ in range(rounds)]
    floor = of([bare for bare, _ in runs], [keyed for _, keyed in runs], rows)
    keep(home, floor)
    return floor


def of(bare: list[Run], keyed: list[Run], rows: int) -> Floor:
    """The medians of some rounds."""
    without, with_key = typical(bare), typical(keyed)
    return Floor(rows, without.seconds, without.cpu, with_key.seconds, with_key.cpu, made=_now())


def keep(home: Path, floor: Floor) -> None:
    """Write the floor down for the sections that follow today."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "floor.json").write_text(json.dumps(asdict(floor), indent=1), encoding="utf-8")


def _now() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return (
        f"{time.strftime('%Y-%m-%d')} {boot.read_text().strip() if boot.exists() else ''}".strip()
    )
