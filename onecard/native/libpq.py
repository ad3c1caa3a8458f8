"""The libpq that psycopg has loaded: its connections mean something to this one only."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from psycopg import pq


@dataclass(frozen=True, slots=True)
class Libpq:
    """Addresses of the functions that a COPY TO is read by."""

    get_copy_data: int
    consume_input: int
    freemem: int


@functools.cache
def loaded() -> Libpq | None:
    """The library of psycopg's binary package; None: psycopg uses another, which nobody names."""
    found = importlib.util.find_spec("psycopg_binary") if pq.__impl__ == "binary" else None
    if found is None or found.origin is None:
        return None
    for file in sorted((Path(found.origin).parents[1] / "psycopg_binary.libs").glob("libpq-*.so*")):
        try:
            library = ctypes.CDLL(str(file), mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            named = (library.PQgetCopyData, library.PQconsumeInput, library.PQfreemem)
            return Libpq(*(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in named))
        except (OSError, AttributeError):  # another version that lies there, and is not loaded
            continue
    return None
