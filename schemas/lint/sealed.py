"""Checks of agreements whose deliveries are sealed: not every inbox takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.lint.options import OptionModels
from schemas.models.agreement import AgreementFile
from schemas.models.problem import Problem

RULE = "agreement.sealed"


def check(file: AgreementFile, connectors: Mapping[str, OptionModels]) -> Iterator[Problem]:
    """An inbox of tables takes rows and nothing else; nobody counts rows that are still sealed.

    Args:
        file: the agreement and its document.
        connectors: the registered kinds.
    """
    block = file.agreement.delivery
    if block is None or not block.sealed or block.connector not in connectors:
        return
    able = [name for name, kind in connectors.items() if getattr(kind, "seals", False)]
    if block.connector not in able:
        message = (
            f"an inbox of kind {block.connector} takes rows, and nothing that is sealed; drop"
            f" `sealed`, or deliver by one of: {', '.join(sorted(able))}"
        )
        yield file.document.problem("delivery.sealed", RULE, message)
    if "count" in block.options:
        message = (
            "the receiver is asked for its number of rows before it can open them; drop `count`"
        )
        yield file.document.problem("delivery.options.count", RULE, message)
