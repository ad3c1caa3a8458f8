"""What a check of `onecard doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckLevel = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One finding: `todo` is empty only when the level is ok."""

    check: str
    level: CheckLevel
    says: str
    todo: str = ""
