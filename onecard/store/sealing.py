"""A rejected row as it is kept: sealed under the quarantine key, and known again by a keyed hash.

A row is one record however often it is read again: its fingerprint is a keyed hash of dataset
and values. The payload is sealed by the suite (AES-256-GCM or SM4-GCM); dataset and fingerprint
are its associated data, so that a payload cannot be moved to another record.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import NamedTuple

from onecard.crypto import suites
from onecard.crypto.keys import Key
from onecard.crypto.suites import Suite
from onecard.ports.row_gate import Rejected
from onecard.store.referrer import Referrer
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Sealed:
    """One rejected row as stored.

    Attributes:
        reasons: JSON pairs of field and rule.
        record_ref: of the record by its key; None where it has none.
        place: in its reading, where the order of that means something (`onecard.store.row_order`).
    """

    fingerprint: bytes
    origin: str
    row_number: int
    reasons: str
    payload: bytes
    key_epoch: str
    suite: str
    record_ref: bytes | None = None
    place: int | None = None


class _Mark(NamedTuple):
    """By what a row is known, as `Sealed` has it."""

    fingerprint: bytes
    record_ref: bytes | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals rows under the quarantine key.

    Attributes:
        contract: of the source's dataset, by whose key a row's record is known again.
    """

    key: Key
    suite: Suite
    contract: Contract | None = None

    def seal(self, dataset: str, origin: str, row: Rejected, place: int | None = None) -> Sealed:
        """One rejected row of a source.

        Args:
            dataset: whose row it is.
            origin: table, file or page that it came from.
            row: its values and why it was rejected.
            place: in its reading, where the order of that means something.
        """
        known, ref = _fingerprint(_identity(dataset, origin, row), self.key), None
        if self.contract is not None:
            ref = Referrer(self.contract, self.key, self.suite.name).of_row(row.values)
        return self._sealed(dataset, _Mark(known, ref, place), origin, row)

    def seal_held(self, agreement: Agreement, key_text: str, row: Rejected) -> Sealed:
        """A row that the privacy gate kept back from a delivery.

        Args:
            agreement: under which it would have left.
            key_text: the row's dataset key; a row is one record per agreement.
            row: as it would have left, and why it did not.
        """
        known = held_fingerprint(agreement, key_text, self.key)
        return self._sealed(agreement.dataset, _Mark(known), f"delivery {agreement.id}", row)

    def _sealed(self, dataset: str, mark: _Mark, origin: str, row: Rejected) -> Sealed:
        content = _text(row).encode("utf-8", "surrogatepass")
        return Sealed(
            fingerprint=mark.fingerprint,
            origin=origin,
            row_number=row.number,
            reasons=json.dumps([[r.field, r.rule] for r in row.reasons]),
            payload=self.suite.seal(self.key.secret, content, dataset.encode() + mark.fingerprint),
            key_epoch=self.key.epoch,
            suite=self.suite.name,
            record_ref=mark.record_ref,
            place=mark.place,
        )


@dataclass(frozen=True, slots=True)
class SealedValues:
    """What is sealed of a rejected row, and which key and suite open it."""

    fingerprint: bytes
    payload: bytes
    key_epoch: str
    suite: str

    def opened(self, dataset: str, key: Key) -> dict[str, str | None]:
        """The row's values by field.

        Args:
            dataset: whose row it is.
            key: the quarantine key of its epoch.

        Raises:
            PolicyError: the payload was tampered with, or it is another key's.
        """
        place = dataset.encode() + self.fingerprint
        text = suites.suite(self.suite).unseal(key.secret, self.payload, place)
        values: dict[str, str | None] = json.loads(text.decode("utf-8", "surrogatepass"))
        return values


def fingerprint(dataset: str, origin: str, row: Rejected, key: Key) -> bytes:
    """By which a rejected row of a source is known again; that of `Sealer.seal`.

    Args:
        dataset: whose row it is.
        origin: table, file or page that it came from.
        row: its values.
        key: the quarantine key.
    """
    return _fingerprint(_identity(dataset, origin, row), key)


def held_fingerprint(agreement: Agreement, key_text: str, key: Key) -> bytes:
    """By which a row that the privacy gate kept back is known again.

    Args:
        agreement: under which it would have left.
        key_text: the row's dataset key.
        key: the quarantine key.
    """
    return _fingerprint(f"{agreement.id}|{key_text}", key)


def _identity(dataset: str, origin: str, row: Rejected) -> str:
    """Its values; of a record that could not be split, its place."""
    known = _text(row) if row.values else f"{origin}#{row.number}"
    return f"{dataset}|{known}"


def _text(row: Rejected) -> str:
    return json.dumps(row.values, ensure_ascii=False, sort_keys=True)


def _fingerprint(known: str, key: Key) -> bytes:
    return hmac.digest(key.secret, known.encode("utf-8", "surrogatepass"), "sha256")
