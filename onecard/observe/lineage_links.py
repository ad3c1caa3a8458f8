"""What joins what, as OpenLineage events tell it: one link for each job, with its last run.

A link is read of an event that was written, or made of the same flow of which events are made: a
test holds that both give the same link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from onecard import errors
from onecard.errors import HoldError
from onecard.model.transfers import Transfer
from onecard.observe.lineage_flow import PRODUCER, Flow, Named, Origin

RunState = Literal["complete", "fail", "hold", "running"]
_OF_LEDGER: Mapping[str, RunState] = {
    "published": "complete",
    "confirmed": "complete",
    "failed": "fail",
    "held": "hold",
}
_OF_EVENT: Mapping[str, RunState] = {"COMPLETE": "complete", "FAIL": "fail", "START": "running"}


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the newest run of a job stands.

    Attributes:
        at: when it ended, or began where it has not ended.
        rows: published or sent; None: it was not completed.
    """

    state: RunState
    at: datetime
    rows: int | None


@dataclass(frozen=True, slots=True)
class Link:
    """What a job joins.

    Attributes:
        job: `collect.<dataset>` or `deliver.<agreement>`.
        columns: origins of each column of the output.
        run: None: it never ran.
    """

    job: str
    inputs: tuple[Named, ...]
    output: Named
    columns: Mapping[str, tuple[Origin, ...]]
    run: LastRun | None

    @property
    def subject(self) -> str:
        """Dataset or agreement."""
        return self.job.partition(".")[2]

    @property
    def collects(self) -> bool:
        """Whether it leads from an agency to the hub."""
        return self.job.startswith("collect.")


def of_flow(flow: Flow, newest: Transfer | None) -> Link:
    """The link of a job whose events nobody has kept.

    Args:
        flow: of which its events are made.
        newest: its newest transfer in the ledger.
    """
    return Link(flow.job, flow.inputs, flow.output, flow.columns, _run(newest))


def _run(newest: Transfer | None) -> LastRun | None:
    if newest is None:
        return None
    state = _OF_LEDGER.get(newest.status, "running")
    rows = newest.counts.published if newest.direction == "collect" else newest.sent_rows
    at = newest.finished_at or newest.started_at
    return LastRun(state, at, rows if state == "complete" else None)


def newest_links(events: Iterable[object]) -> dict[str, Link]:
    """The newest link of each job, by its name; what is no event of the hub is left out.

    Args:
        events: as JSON gives them.
    """
    found: dict[str, Link] = {}
    for event in events:
        link = _of_event(event)
        known = found.get(link.job) if link else None
        if link and (known is None or not _older(link, known)):
            found[link.job] = link
    return found


def _older(link: Link, known: Link) -> bool:
    """Whether a link is of an earlier run; of one instant the end counts, not the start."""
    assert link.run and known.run  # noqa: S101 - of events both have one
    if link.run.at == known.run.at:
        return link.run.state == "running"
    return link.run.at < known.run.at


def _of_event(event: object) -> Link | None:
    """The link of one event; None: it is another producer's, or not whole."""
    try:
        return _parsed(event)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _parsed(event: Any) -> Link | None:  # noqa: ANN401 - whatever JSON gives
    state = _OF_EVENT.get(event["eventType"])
    if event["producer"] != PRODUCER or state is None:
        return None
    at = datetime.fromisoformat(event["eventTime"])
    if at.tzinfo is None:
        return None
    output = event["outputs"][0]
    facets = output.get("facets") or {}
    fields = (facets.get("columnLineage") or {}).get("fields") or {}
    if state == "fail" and _held(event):
        state = "hold"
    counted = (output.get("outputFacets") or {}).get("outputStatistics") or {}
    return Link(
        str(event["job"]["name"]),
        tuple(_named(part) for part in event["inputs"]),
        _named(output),
        {str(name): tuple(map(_origin, of["inputFields"])) for name, of in fields.items()},
        LastRun(state, at, counted.get("rowCount") if state == "complete" else None),
    )


def _held(event: Mapping[str, Any]) -> bool:
    """Whether a run was ended by a hold: its error says the type first."""
    told = ((event["run"].get("facets") or {}).get("errorMessage") or {}).get("message", "")
    kind = getattr(errors, str(told).partition(":")[0], None)
    return isinstance(kind, type) and issubclass(kind, HoldError)


def _named(part: Mapping[str, Any]) -> Named:
    return Named(str(part["namespace"]), str(part["name"]))


def _origin(part: Mapping[str, Any]) -> Origin:
    return Origin(_named(part), str(part["field"]), str(part["transformations"][0]["description"]))
