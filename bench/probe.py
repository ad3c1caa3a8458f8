"""Runs pipes in a process of its own, which `bench.measure` starts: nothing else is its child.

Argument: a JSON list of pipes that run one after the other; each is a list of commands, each a
list of words, and each command's output feeds the next. Prints names and exit codes, wall seconds,
CPU seconds, and the peak memory in MB of the largest part; what the commands wrote elsewhere goes
to standard error, its end only. After a pipe that failed no other starts.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import IO

_TAIL = 3000
"""Bytes of the commands' own output that are handed on."""


def piped(commands: list[list[str]], said: IO[bytes]) -> list[tuple[str, int]]:
    """Run one pipe to its end; returns name and exit code of each part."""
    parts: list[subprocess.Popen[bytes]] = []
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        before = parts[-1].stdout if parts else None
        parts.append(
            subprocess.Popen(
                command, stdin=before, stdout=said if last else subprocess.PIPE, stderr=said
            )
        )
        if before:
            before.close()  # only the next part reads it: a part that dies ends the one before
    names = [os.path.basename(command[0]) for command in commands]  # noqa: PTH119 - no more imports
    return list(zip(names, [part.wait() for part in parts], strict=True))


def main() -> None:
    """Entry point."""
    pipes = json.loads(sys.argv[1])
    codes: list[tuple[str, int]] = []
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        for commands in pipes:
            codes += piped(commands, said)
            if any(code for _, code in codes):
                break
        seconds = time.perf_counter() - started
        said.seek(max(0, said.seek(0, 2) - _TAIL))
        sys.stderr.buffer.write(said.read())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"codes": codes, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime}
    print(json.dumps({**found, "megabytes": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
