"""What the consumer has, looked up batch by batch by keyed references."""

from __future__ import annotations

import numpy as np
import polars as pl

from onecard.store import holding

KEY = list(holding.KEY)
"""Columns of a reference."""


class KnownRows:
    """Looks up digests of what the consumer has."""

    def __init__(self, held: pl.DataFrame) -> None:
        """Sort them once.

        Args:
            held: columns `holding.SCHEMA`.
        """
        self._held = held.select(*KEY, "digest").sort(KEY)
        self._high, self._low = (self._held[n].to_numpy() for n in KEY)
        self._plain = bool((self._high[1:] != self._high[:-1]).all())

    def digests(self, entries: pl.DataFrame) -> pl.Series:
        """The digest of each entry's reference, NULL where there is none; row for row.

        Args:
            entries: columns `high` and `low`.
        """
        if not len(self._held):
            return pl.repeat(None, len(entries), dtype=pl.UInt64, eager=True)
        if not self._plain:  # two references with one first half: once in ten million records
            was = self._held.rename({"digest": "was"})
            return entries.join(was, on=KEY, how="left", maintain_order="left")["was"]
        high, low = (entries[n].to_numpy() for n in KEY)
        place = np.searchsorted(self._high, high).clip(max=len(self._high) - 1)
        there = (self._high[place] == high) & (self._low[place] == low)
        found = self._held["digest"].gather(place)
        return pl.select(pl.when(pl.Series(there)).then(found)).to_series()
