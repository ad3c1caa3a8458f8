"""Workers of a collect, as forks of one process that has imported what they need.

`python -m onecard.app.worker`, begun by `onecard.app.workers`, is that process. Each line of its
input names an open transfer: it forks so many workers, which read partitions until none is left
that nobody has begun, and answers with an empty line when the last has ended. A worker prints
nothing: what fails here is read again and told where the transfer was opened.

Nothing is used before the fork: a pool of threads, a connection or a key may not cross it. All
end with the process that began them, as its end is the end of their input.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import connectors
from onecard.app.wiring import Hub
from onecard.base import logs
from onecard.errors import OnecardError

log = logging.getLogger(__name__)

AHEAD = (
    "polars",
    "quality.rows.gate",
    "quality.datasets.sql_audit",
    "onecard.crypto.keys",
    "onecard.crypto.suites",
    "onecard.crypto.signing",
    "adbc_driver_postgresql.dbapi",
    *(target.partition(":")[0] for target in connectors.KINDS.values()),
)
"""What a worker needs and what is otherwise imported at the first use only."""


def serve(lines: Iterable[str]) -> None:
    """Fork workers for one transfer after the other.

    Args:
        lines: of each transfer, as JSON: how many workers, dataset, id, and the name of the state
            of the source that is held (empty: none).
    """
    for module in AHEAD:
        with suppress(ImportError):  # of an extra that is not here: a worker that needs it says so
            import_module(module)
    for line in lines:
        number, dataset, transfer, snapshot = json.loads(line)
        workers = [_forked(dataset, transfer, snapshot) for _ in range(number)]
        for worker in workers:
            os.waitpid(worker, 0)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _forked(dataset: str, transfer: int, snapshot: str) -> int:
    """Begin a worker; returns its process id, and in the worker never."""
    worker = os.fork()
    if not worker:
        _work(dataset, transfer, snapshot)
    return worker


def _work(dataset: str, transfer: int, snapshot: str) -> NoReturn:
    """Read partitions, and end without unwinding what belongs to the process before the fork."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the answer is not a worker's to give
    threading.Thread(target=_end_with_input, daemon=True).start()
    code = 1
    try:
        Hub().collect(dataset).read_parts(transfer, snapshot)
        code = 0
    except OnecardError as error:
        log.warning("a worker of transfer %s failed: %s", transfer, error)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - its text may quote a row
        log.warning("a worker of transfer %s failed (%s)", transfer, type(error).__name__)
    finally:
        os._exit(code)


def _end_with_input() -> None:
    os.read(sys.stdin.fileno(), 1)  # nobody writes while workers are at work
    os._exit(1)


if __name__ == "__main__":
    logs.set_up(os.environ)
    # Of threads of allocators, which know how to cross a fork (Python 3.12 and later).
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    serve(sys.stdin)
