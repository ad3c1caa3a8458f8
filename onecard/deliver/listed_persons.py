"""Persons of one list, looked up batch by batch: who has ended, among all rows of a delivery."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from onecard.native.lookup import Lookup


class ListedPersons:
    """Answers which of a batch's persons are listed.

    They are found by a hash and then compared, so that no hash decides about anybody.
    """

    def __init__(self, listed: pl.Series) -> None:
        """Keep the list.

        Args:
            listed: ID numbers; NULL is nobody's.
        """
        once = listed.drop_nulls().unique()
        hashes = _hashes(once)
        order = np.argsort(hashes)
        self._persons, hashes = once.gather(order), hashes[order]
        self._lookup = Lookup(hashes)
        self._alike = bool((hashes[1:] == hashes[:-1]).any())

    def holds(self, persons: pl.Series) -> pl.Series:
        """Whether each person is listed, row for row; NULL is not.

        Args:
            persons: ID numbers.
        """
        if self._alike:  # two of the list with one hash: once in a million lists of this city
            return persons.is_in(self._persons.implode()).fill_null(value=False)
        places = self._lookup.places(_hashes(persons))
        found = places >= 0
        rows = np.flatnonzero(found)
        same = self._persons.gather(places[rows]) == persons.gather(rows)
        found[rows] = same.fill_null(value=False).to_numpy()
        return pl.Series(found)


def _hashes(persons: pl.Series) -> npt.NDArray[np.int64]:
    return persons.hash().to_numpy().view(np.int64)
