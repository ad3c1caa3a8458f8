"""Standard output, also when its reader has gone (`| head`): that stops nothing and is no error."""

from __future__ import annotations

import os
import sys


def write(text: str) -> None:
    """Write at once; what nobody reads any more is dropped from here on."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
