"""What values look like once they are treated: what delivery makes and the privacy gate expects."""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class TextShape:
    """What is known of the texts of a column that leaves.

    Attributes:
        most: characters of the longest; None: not known.
        always: characters of every one; None: they differ.
        ascii: no other characters.
        distinct: no two of them differ only by case, accents or blanks at the end, so that they
            are different keys under every collation.
    """

    most: int | None = None
    always: int | None = None
    ascii: bool = False
    distinct: bool = False


TOKENS = TextShape(TOKEN_LENGTH, TOKEN_LENGTH, ascii=True, distinct=True)
_LENGTHS = {"year": 4, "month": 7, "day": 10, "county": 6}
"""Characters of generalised values: `2026`, `2026-11`, `2026-11-24`, a county's code."""
_ONE_CASE = (re.compile(r"[\^$\[\]()|_0-9A-Z-]*"), re.compile(r"[\^$\[\]()|_0-9a-z-]*"))
"""Patterns of digits and letters of one case; a dot, which stands for anything, is none."""


def shape_of(shared: SharedField, field: Field | None) -> TextShape:
    """What is known of a field's treated texts.

    Args:
        shared: says how it is treated.
        field: the contract's field behind it; None for constants and counts.
    """
    if shared.treatment == "token":
        return TOKENS
    if shared.treatment in _LENGTHS:
        size = _LENGTHS[shared.treatment]
        return TextShape(size, size, ascii=True, distinct=True)
    if field is None:
        texts = shared.when.answers if shared.when else (shared.value or "",)
        sizes = {len(t) for t in texts}
        always = sizes.pop() if len(sizes) == 1 else None
        return TextShape(max(map(len, texts)), always, all(t.isascii() for t in texts))
    if shared.treatment == "mask":
        return TextShape(field.max_length)
    if field.codes:
        plain = all(re.fullmatch("[0-9A-Z]+", code) for code in field.allowed)
    else:
        kind = field.semantic_type
        plain = kind.validator is not None or (kind.pattern is not None and _one_case(kind.pattern))
    return TextShape(field.max_length, None, plain, plain)


def _one_case(pattern: str) -> bool:
    """Whether what matches consists of digits and letters of one case; in doubt not."""
    plain = re.sub(r"\{[0-9,]+\}", "", pattern).replace(r"\d", "0")
    return any(case.fullmatch(plain) for case in _ONE_CASE)
