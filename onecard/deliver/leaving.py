"""A batch of one delivery as it is judged and as it leaves, and what is noted of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl


@dataclass(frozen=True, slots=True)
class Leaving:
    """A batch that leaves.

    Attributes:
        frame: treated.
        entries: of the rows, columns `high`, `low`, `digest`; None for statistics.
        persons: references of the persons.
        events: those that are measured (`onecard.deliver.measuring`), or nothing.
    """

    frame: pl.DataFrame
    entries: pl.DataFrame | None
    persons: npt.NDArray[np.uint64] | None
    events: tuple[pl.DataFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One batch and what the gate says of it."""

    raw: pl.DataFrame
    treated: pl.DataFrame
    passed: pl.Series
    quarantined: pl.Series
    reasons: dict[int, tuple[tuple[str, str], ...]]
