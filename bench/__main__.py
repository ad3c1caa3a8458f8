"""`python -m bench`: every section of RESULTS.md, one program after the other.

Each runs as a process of its own on the same server (ONECARD_BENCH_POSTGRES, or else the embedded
one, with a port for the peers) and writes its section. One that fails is named at the end; the
others are kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace

from bench import server
from bench.arguments import parser
from bench.registry import PROGRAMS, Program


def words(about: str | None) -> ArgumentParser:
    """The command line."""
    made = parser(about, rounds=None)
    known = [program.word for program in PROGRAMS]
    made.add_argument("sections", nargs="*", metavar="SECTION", help=f"some of {', '.join(known)}")
    made.add_argument("--no-peers", action="store_true", help="install and measure no others")
    made.add_argument("--quick", action="store_true", help="few rows, for a try: no figures")
    return made


def chosen(options: Namespace) -> list[Program]:
    """The programs that are asked for, in the order of the registry.

    Raises:
        SystemExit: a word that is no section.
    """
    known = {program.word: program for program in PROGRAMS}
    unknown = [word for word in options.sections if word not in known]
    if unknown:
        msg = f"no such section: {', '.join(unknown)}; known are {', '.join(known)}"
        raise SystemExit(msg)
    return [p for word, p in known.items() if word in (options.sections or known)]


def command(program: Program, options: Namespace) -> list[str]:
    """The words that start a section's program."""
    places = ["--home", str(options.home), "--results", str(options.results)]
    alone = ["--no-peers"] if program.peers and options.no_peers else []
    quick = program.quick if options.quick else ()
    return [sys.executable, "-m", f"bench.{program.word}", *places, *alone, *quick]


def main() -> int:
    """Run what is asked for; 1 when a section failed."""
    options = words(__doc__).parse_args()
    failed = []
    programs = chosen(options)
    with server.running(options.home) as address:
        environment = {**os.environ, server.GIVEN: address}
        for number, program in enumerate(programs):
            print(f"\n== {program.word} ({number + 1} of {len(programs)})", flush=True)
            started = time.perf_counter()
            done = subprocess.run(command(program, options), env=environment, check=False)
            if done.returncode:
                failed.append(program.word)
            print(f"== {program.word} took {time.perf_counter() - started:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}; the other sections stand in {options.results}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
