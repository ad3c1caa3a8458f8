"""Fails on a file that holds a private key: `python tools/check_private_keys.py FILE…`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE " + rb"KEY( BLOCK)?-----|PuTTY-User-Key-" + rb"File-"
)


def main() -> int:
    """Name the files; 1 when there is one."""
    found = [name for name in sys.argv[1:] if _KEY.search(Path(name).read_bytes())]
    for name in found:
        sys.stderr.write(f"{name}: holds a private key\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
