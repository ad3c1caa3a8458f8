"""Whether a dataset can be read in the partitions that its contract names."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.models.contract import Contract
from schemas.models.odcs import ContractFile
from schemas.models.partition import CHOICES, ByHash, ByParameter, ByRange
from schemas.models.problem import Problem

PLACE = "servers.0.customProperties.0.value.partition"
RULE = "contract.partition"
HASHED = ("string", "integer", "number")
"""Types whose values have one text at a source, whatever the session."""


def check(file: ContractFile) -> Iterator[Problem]:
    """Problems of the partitions of one contract.

    Args:
        file: the contract.
    """
    for place, message in _complaints(file.contract):
        yield file.document.problem(f"{PLACE}.{place}", RULE, message)


def _complaints(contract: Contract) -> Iterator[tuple[str, str]]:
    partition = contract.source.partition
    if partition is None:
        return
    kind = contract.source.connector
    choices = CHOICES.get(kind, ())
    if partition.by not in choices:
        valid = ", ".join(choices) or "none"
        yield "by", f"{kind} is not read by {partition.by}; valid choices: {valid}"
    elif isinstance(partition, ByRange):
        yield from _range(contract, partition)
    elif isinstance(partition, ByHash):
        odd = [n for n in contract.key if contract.field(n).type not in HASHED]
        if odd:
            message = (
                f"key field {', '.join(odd)}: a time has no one text at its source, so its hash"
                " depends on the session; valid choices: range of an integer of the key"
            )
            yield "by", message
    elif isinstance(partition, ByParameter):
        yield from _parameter(contract, partition)


def _range(contract: Contract, partition: ByRange) -> Iterator[tuple[str, str]]:
    """A row whose number changes would be in no range, or in two, while these are read."""
    whole = [n for n in contract.key if contract.field(n).type == "integer"]
    if partition.field not in whole:
        valid = ", ".join(whole) or "none (by: hash divides by any key)"
        message = (
            f"{partition.field} must be an integer of the key, which never changes, else a row"
            f" could move from one range to another while they are read; valid choices: {valid}"
        )
        yield "field", message


def _parameter(contract: Contract, partition: ByParameter) -> Iterator[tuple[str, str]]:
    paginator = contract.source.options.get("paginator")
    counted = isinstance(paginator, dict) and paginator.get("kind") == "page_number"
    if not counted and not partition.exhaustive:
        message = (
            f"this API gives no total, so a row with another value of {partition.parameter!r} would"
            " be missed unseen: ask the agency whether every row has one of these values, and write"
            " `exhaustive: true`; or read it in one"
        )
        yield "exhaustive", message
    if partition.parameter in (contract.source.options.get("params") or {}):
        yield "parameter", f"{partition.parameter!r} stands in options.params too"
