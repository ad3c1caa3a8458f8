"""What values look like once they are treated: what delivery makes and the privacy gate expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.models import semantic
from schemas.models.agreement_parts import SharedField
from schemas.models.contract import Field

if TYPE_CHECKING:
    import polars as pl

TOKEN_PATTERN = r"^[A-Z2-7]{26}$"  # noqa: S105 - the shape of a token, not a secret
TOKEN_LENGTH = 26


def pattern_of(shared: SharedField, field: Field | None) -> str | None:
    """The pattern that every treated value of the field matches, if its treatment has one."""
    if shared.treatment == "token":
        return TOKEN_PATTERN
    if shared.treatment == "mask" and field and field.semantic_type.mask:
        return semantic.load().masks[field.semantic_type.mask].pattern
    return None


def cell_keys(groups: pl.DataFrame) -> list[str]:
    """A text for each statistical cell.

    Args:
        groups: one row a cell; its columns are the agreement's groups, in their order.
    """
    return ["|".join(str(value) for value in row) for row in groups.iter_rows()]
