"""The agencies' servers in a process of their own: `python -m demo.serve --home DIR`.

It prints one line of JSON with the addresses when ready, and ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from demo.servers import Addresses, AgencyServers

ENDS_WITHIN = 10
"""Seconds."""


@contextmanager
def serving(home: Path) -> Iterator[Addresses]:
    """Serve a city's folder from a process of its own, so that it does not wait for the hub's."""
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "demo.serve", "--home", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if server.stdin is None or server.stdout is None:
        msg = "the agencies' servers have no pipes"
        raise RuntimeError(msg)
    try:
        line = server.stdout.readline()
        if not line:
            msg = "the agencies' servers did not start"
            raise RuntimeError(msg)
        yield Addresses(**json.loads(line))
    finally:
        server.stdin.close()
        server.wait(ENDS_WITHIN)
        server.stdout.close()


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    with AgencyServers() as servers, servers.serving(parser.parse_args().home) as addresses:
        sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
