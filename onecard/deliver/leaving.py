"""A batch of one delivery as it leaves, and what is noted of it."""

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
