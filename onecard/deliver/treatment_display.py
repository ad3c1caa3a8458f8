"""How a value may be shown to a person who has no right to see it."""

from __future__ import annotations

from schemas.models.contract import Field

SHOWN_LEVELS = ("L1", "L2")
"""Levels of GB/T 43697-2024's shape that hold no direct identifier or sensitive information."""


def masked(field: Field, value: str | None) -> str | None:
    """The value in clear for harmless fields, else its length only."""
    if value is None:
        return None
    if field.level in SHOWN_LEVELS and field.pii in ("NONE", "PI"):
        return value
    return f"({len(value)} characters)"
