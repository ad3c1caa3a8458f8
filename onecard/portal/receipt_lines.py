"""What a receipt says, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onecard.portal.pages import Words, indented
from onecard.stewardship import receipt_check
from onecard.store.receipts import Receipt
from schemas.models import codes
from schemas.models.catalogue import Catalogue

PLAIN = (
    "agreementVersion",
    "contractVersion",
    "consumer",
    "purpose",
    "basis",
    "delivery",
    "sent_rows",
    "sent_parts",
    "deleted_rows",
    "rows_read",
    "published",
    "unchanged",
    "quarantined",
    "deduplicated",
    "filtered_by_policy",
    "rows_left",
    "digest",
    "sourceDigest",
    "approvedBy",
    "approvedIn",
    "responsible",
    "at",
    "expiresAt",
    "tokenEpoch",
    "sealedFor",
    "error",
)
"""Members that are one text or number, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a receipt says."""

    word: str
    value: str


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """A receipt as a person reads it.

    Attributes:
        kind: `collect` or `deliver`.
        columns: that left.
        whole: all that was signed, a line for each part.
    """

    transfer: int
    kind: str
    subject: str
    outcome: str
    facts: tuple[Fact, ...]
    columns: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    suite: str
    epoch: str
    signature: str
    whole: str


def in_words(receipt: Receipt, words: Words, catalogue: Catalogue) -> ReceiptWords:
    """A receipt in words.

    Args:
        receipt: as it is stored.
        words: of the page's language.
        catalogue: agencies, for their names.
    """
    said: dict[str, Any] = json.loads(receipt.body)
    counts, consumer = said.get("counts"), catalogue.agencies.get(str(said.get("consumer")))
    flat = {**said, **(counts if isinstance(counts, dict) else {})}
    if consumer is not None:
        flat["consumer"] = words.agency(consumer)
    if words.language == "zh" and said.get("purpose") in codes.labels("purpose"):
        flat["purpose"] = f"{said['purpose']} {codes.labels('purpose')[said['purpose']]}"
    facts = [
        Fact(words(f"receipt_{n}"), str(flat[n])) for n in PLAIN if flat.get(n) not in (None, "")
    ]
    versions = said.get("versions")
    if isinstance(versions, dict):
        told = "; ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        facts.append(Fact(words("receipt_versions"), told))
    point = said.get("checkpoint")
    if isinstance(point, dict):
        facts.append(Fact(words("receipt_checkpoint"), f"{point.get('size')} {point.get('root')}"))
    rules, columns = said.get("rules"), said.get("columns")
    return ReceiptWords(
        receipt.transfer,
        str(said.get("kind", "")),
        receipt_check.about(receipt),
        str(said.get("outcome", "")),
        tuple(facts),
        tuple(map(str, columns)) if isinstance(columns, list) else (),
        _rules(rules) if isinstance(rules, dict) else (),
        receipt.suite,
        receipt.key_epoch,
        receipt.signature.hex(),
        indented(receipt.body),
    )


def _rules(rules: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Each rule of the privacy gate with how it ended."""
    return tuple(
        (name, str(ended[0]) if isinstance(ended, list) and ended else "")
        for name, ended in sorted(rules.items())
    )
