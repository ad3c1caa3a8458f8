"""Statements on the hub's tables that only the bench needs, in files beside it (`bench/sql`)."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (.+)$", re.MULTILINE)


def statements(file: str) -> dict[str, bytes]:
    """The statements of a file in its order, each by the name that stands above it.

    Args:
        file: without folder and ending.
    """
    _, *parts = _NAME.split((_HERE / f"{file}.sql").read_text(encoding="utf-8"))
    texts = (text.strip().encode() for text in parts[1::2])
    return dict(zip(parts[::2], texts, strict=True))
