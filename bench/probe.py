"""Runs a pipe in a process of its own, which `bench.measure` starts: nothing else is its child.

Argument: a JSON list of commands, each a list of words; each one's output feeds the next. Prints
exit codes, wall seconds and the peak memory in MB of the largest part; what the commands wrote
elsewhere goes to standard error, its end only.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time

_TAIL = 3000
"""Bytes of the commands' own output that are handed on."""


def main() -> None:
    """Entry point."""
    commands = json.loads(sys.argv[1])
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
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
        codes = [part.wait() for part in parts]
        seconds = time.perf_counter() - started
        said.seek(max(0, said.seek(0, 2) - _TAIL))
        sys.stderr.buffer.write(said.read())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"codes": codes, "seconds": seconds, "megabytes": peak}))


if __name__ == "__main__":
    main()
