"""References of records: keyed digests by which a record is found again, but not known.

A reference is the HMAC, under the quarantine key, of the dataset's id and the key's values. It
stands in tickets and beside rejected rows, where a value must not; whoever has only the database
cannot tell from it whose record it is, nor try out identity numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onecard.crypto import suites
from onecard.crypto.keys import Key
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Referrer:
    """Makes references of one dataset's records under one key; compare only its own."""

    contract: Contract
    key: Key
    suite: str

    def refs(self, keys: Sequence[Sequence[str]]) -> list[bytes]:
        """References of records, from the values of their keys."""
        texts = [json.dumps([self.contract.id, *key], ensure_ascii=False) for key in keys]
        texts = [f"record|{text}" for text in texts]
        return suites.suite(self.suite).digests(self.key.secret, texts)

    def of_row(self, values: Mapping[str, str | None]) -> bytes | None:
        """Reference of a rejected row; None when it has no whole key, or one that is no text."""
        key = key_of(self.contract, values)
        if key is None or any("\ud800" <= c <= "\udfff" for text in key for c in text):
            return None
        return self.refs([key])[0]


def key_of(contract: Contract, values: Mapping[str, str | None]) -> tuple[str, ...] | None:
    """The key's values of a rejected row, without blanks around; None when one is absent."""
    found = [values.get(name) for name in contract.key]
    texts = tuple(value.strip() for value in found if value is not None)
    return texts if len(texts) == len(contract.key) else None
