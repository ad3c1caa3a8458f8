"""The C sources of the library, and the digest that says which library is made of them.

Imports nothing of the hub: the build loads this file by itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / "_library.so"


def found(folder: Path = FOLDER) -> list[Path]:
    """All sources, headers too, in a fixed order."""
    return sorted([*folder.glob("*.c"), *folder.glob("*.h")])


def digest(folder: Path = FOLDER) -> str:
    """A SHA-256 over names and contents of the sources."""
    whole = hashlib.sha256()
    for file in found(folder):
        content = file.read_bytes()
        whole.update(f"{file.name}:{len(content)}:".encode() + content)
    return whole.hexdigest()
