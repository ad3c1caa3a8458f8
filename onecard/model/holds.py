"""What waits for a person: one hold, who may release it, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas.models.contract import Contract
from schemas.models.dataset_checks import Shrinkage

NEVER = ("key_unique",)
"""Findings that nobody can release: with two rows of one key there is no row to publish."""


ON_DUTY = "the engineer on duty"


OPTIONS = "--by … --reason …"


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that waits for a person.

    Attributes:
        number: the transfer, or the reconciliation.
        subject: dataset or agreement.
        agency: of the dataset; empty for a delivery.
        who: who may release it.
        rows: of a reconciliation: how many published rows are absent.
        emptied: of a reconciliation: the source has no row at all, which is never believed.
        findings: of a collect: the critical expectations that failed.
        released: a person has released it, and it has not gone on yet.
        fast: newer transfers take over every minute, so that it is released by its dataset.
        overtaken: a newer transfer that ended without an answer; what was staged is gone with it.
            0: none.
        behind: the source is read behind a watermark, and has shrunk: old rows may stand there
            under times that are no more read.
    """

    kind: Literal["collect", "deliver", "reconcile"]
    number: int
    subject: str
    who: str
    message: str
    since: datetime | None = None
    agency: str = ""
    rows: int = 0
    emptied: bool = False
    findings: tuple[str, ...] = ()
    released: bool = False
    fast: bool = False
    overtaken: int = 0
    behind: bool = False

    @property
    def key(self) -> str:
        """Its name among all that waits: transfers and reconciliations are numbered apart."""
        return f"{self.kind}-{self.number}"

    @property
    def releasable(self) -> bool:
        """Whether a person can let it pass at all."""
        return not (self.emptied or self.overtaken or set(self.findings) & set(NEVER))

    @property
    def release(self) -> str:
        """The command that lets it pass."""
        if self.kind == "reconcile":
            return f"onecard reconcile {self.subject} --release {OPTIONS}"
        return f"onecard release {self.subject if self.fast else self.number} {OPTIONS}"

    @property
    def again(self) -> str:
        """The command that does its work anew."""
        return f"onecard {self.kind} {self.subject}"

    @property
    def todo(self) -> str:
        """What to do, in a sentence."""
        if self.overtaken:
            return (
                f"transfer {self.overtaken} took over and ended without an answer: `{self.again}`"
                " reads it again"
            )
        if not self.releasable:
            return f"mend the source or the contract, then `{self.again}`"
        if self.kind == "collect":
            return self._todo_of_collect()
        if self.kind == "reconcile":
            return f"look at the source; `{self.release}` deletes what is absent"
        if self.released:
            return f"released; `{self.again}` or the next night sends it"
        return f"`{self.release}`, then `{self.again}`"

    @property
    def _set_back(self) -> str:
        return f"`onecard reconcile {self.subject}` shows rows whose times were set back"

    def _todo_of_collect(self) -> str:
        if self.released:
            return f"released, but cut off before it was published: `{self.release}` once more"
        more = f"; {self._set_back}" if self.behind else ""
        publishes = f"`{self.release}` publishes it as it is"
        return f"{publishes}; or mend the source, then `{self.again}`{more}"


def steward(agency: str) -> str:
    """Who may release what was read from an agency."""
    return f"{agency}, with {ON_DUTY}"


def audit_failed(
    contract: Contract, transfer: int, failed: Iterable[str], explained: str = ""
) -> str:
    """What a held collect says: why, who may release it, and how.

    Args:
        contract: of the dataset.
        transfer: id of the collect.
        failed: names of the critical expectations that failed.
        explained: counts that say more of it, by rule and field.
    """
    names = tuple(failed)
    held = collect_hold(contract, transfer, findings=names)
    done = held.todo if held.releasable else f"nobody can release {names[0]}; {held.todo}"
    because = f" ({explained})" if explained else ""
    return f"{_head(contract.id, transfer)}: {', '.join(names)}{because}. {held.who}: {done}"


def reading_remarks(message: str, dataset: str, transfer: int) -> str:
    """What the reading of a collect remarked, without what the hold said after it.

    Args:
        message: of the transfer's line.
        dataset: its id.
        transfer: id of the collect.
    """
    return message.partition(_head(dataset, transfer))[0].removesuffix("; ")


def _head(dataset: str, transfer: int) -> str:
    return f"{dataset}: transfer {transfer} is held"


def collect_hold(contract: Contract, transfer: int, **more: Any) -> Hold:  # noqa: ANN401 - Hold's own
    """The hold of a collect.

    Args:
        contract: of the dataset.
        transfer: id of the collect.
        **more: other attributes of `Hold`.
    """
    who, fast = steward(contract.agency), contract.lane == "event"
    told = {"message": "", "agency": contract.agency, "fast": fast, **more}
    if contract.source.cursor and not {*told.get("findings", ())}.isdisjoint(_shrinkage(contract)):
        told["behind"] = True
    return Hold("collect", transfer, contract.id, who, **told)


def _shrinkage(contract: Contract) -> set[str]:
    return {e.name for e in contract.expectations if isinstance(e.check, Shrinkage)}


def agency_of(dataset: str) -> str:
    """The agency of a dataset, by its id."""
    return dataset.split("/", maxsplit=1)[0]
