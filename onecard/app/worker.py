"""One worker of a collect: `python -m onecard.app.worker DATASET TRANSFER [SNAPSHOT]`.

Begun by `onecard.app.workers`; reads partitions until none is left that nobody has begun. It ends
with the process that began it, and prints nothing: what fails here is read again and told there.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

from onecard.app.wiring import Hub
from onecard.base import logs
from onecard.errors import OnecardError

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""So often it is looked whether the process that began this one is still there."""


def main(dataset: str, transfer: int, snapshot: str) -> int:
    """Read partitions; returns the exit code.

    Args:
        dataset: its id.
        transfer: that is open.
        snapshot: name of the state of the source that is held; empty: none.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        Hub().collect(dataset).read_parts(transfer, snapshot)
    except OnecardError as error:
        log.warning("a worker of transfer %s failed: %s", transfer, error)
        return error.exit_code
    return 0


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    logs.set_up(os.environ)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
