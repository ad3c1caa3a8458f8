"""Whether a contract says which of two rows of one key is the newer one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.models.contract import FILE_ORDERS, Contract, FileOrder
from schemas.models.odcs import ContractFile
from schemas.models.problem import Problem

PLACE = "customProperties"


def check(file: ContractFile, *, in_order: bool) -> Iterator[Problem]:
    """Problems of the order that a contract states, or does not state.

    Args:
        file: the contract.
        in_order: the rows of its kind of system come in an order that means something (files).
    """
    contract, document = file.contract, file.document
    orders = FILE_ORDERS.get(contract.source.connector, ()) if in_order else ()
    if contract.stated_file_order and contract.stated_file_order not in orders:
        valid = ", ".join(["a list of fields", *orders, "unique"])
        message = (
            f"order {contract.order} is none of this kind of system; valid choices for"
            f" {contract.source.connector}: {valid}"
        )
        yield document.problem(PLACE, "contract.order", message)
    if contract.order == "manifest_time" and in_order and not _names_time(contract):
        message = (
            "order manifest_time needs source.options.manifest.time: the manifests' key of the"
            " moment of which a file tells"
        )
        yield document.problem(PLACE, "contract.order", message)
    if contract.order is None and not contract.ordering:
        yield document.problem(PLACE, "contract.order", _asked(orders))


def _names_time(contract: Contract) -> bool:
    manifest = contract.source.options.get("manifest")
    return isinstance(manifest, dict) and bool(manifest.get("time"))


def _asked(orders: Sequence[FileOrder]) -> str:
    """What is asked for, the valid choices, and what happens without."""
    if orders:
        where, choices = "in several files and twice in one", "".join(f"{o}, " for o in orders)
        by = "as they arrive" if orders == ("arrival",) else "by the files' names"
        without = (
            f"the row that is read last wins, {by}, and an old file that is issued"
            " again brings its old values back"
        )
    else:
        where, choices = "twice in a table, a view or an API", ""
        without = "the content decides, the same every night, but maybe for the older row"
    return (
        f"a key can stand {where}: say which row is the newest, by `sequence`, by the source's"
        f" `cursor`, or by `order`; valid choices: a list of fields, {choices}unique (the source"
        f" holds each key once). Without it {without}"
    )
