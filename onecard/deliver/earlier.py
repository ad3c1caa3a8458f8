"""Whose data a hub without a record of held rows has sent, by the disclosure ledger.

Versions tell when a row changed, not that it left: one that was out of scope, or withheld, when its
version was delivered counts as delivered. The disclosure ledger knows persons: the row of a person
whom it has never seen under the agreement did not leave. A person's reference depends on suite and
key, so it is looked for under all that deliveries had. Where that cannot be told, a row counts as
delivered: nothing is told twice for a doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from onecard.crypto import suites
from onecard.crypto.keys import KeyStore
from onecard.crypto.suites import Suite
from onecard.deliver.treatment import Tokeniser
from onecard.store import disclosures, receipts
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Earlier:
    """Persons whose rows left under one agreement.

    Attributes:
        persons: their references, sorted.
        tokenisers: under which they may stand, the present first; none: nobody can be looked up.
    """

    persons: npt.NDArray[np.uint64]
    tokenisers: tuple[Tokeniser, ...]

    @classmethod
    def load(
        cls, connection: Connection, agreement: Agreement, keys: KeyStore, suite: Suite
    ) -> Earlier:
        """Read it from the disclosure ledger.

        Args:
            connection: of the hub's database.
            agreement: whose deliveries.
            keys: the consumer's, old ones as well.
            suite: in use now.
        """
        sent = receipts.sent(connection, agreement.id, agreement.consumer)
        found = disclosures.of_agreement(connection, agreement.id)
        epochs = keys.token_epochs(agreement.consumer)
        known = {key.epoch for key in epochs}
        if not (sent.transfers <= found.transfers and sent.token_epochs <= known):
            return cls(found.persons, ())
        others = (suites.suite(name) for name in sorted(sent.suites - {suite.name}))
        tokenisers = [Tokeniser(s, key) for s in (suite, *others) for key in epochs]
        return cls(found.persons, tuple(tokenisers))

    def missed(self, subjects: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Rows that never left, for certain.

        Args:
            subjects: ID numbers of the persons whom rows are about; NULL where nobody knows.

        Returns:
            Row for row, whether nothing of the person has left, and whether that is known.
        """
        there = subjects.is_not_null().to_numpy()
        known = there if self.tokenisers else np.zeros(len(subjects), bool)
        left = np.flatnonzero(known)
        for tokeniser in self.tokenisers:
            made = disclosures.references(tokeniser.digests(subjects.gather(left)))
            left = left[~np.isin(made, self.persons)]
        never = np.zeros(len(subjects), bool)
        never[left] = True
        return pl.Series(never), pl.Series(known)
