"""Commands on rejected rows that go on with them: release, replay."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json, why
from onecard.cli.quarantine import Dataset, Id, RuleName, Since, TransferId, wanted
from onecard.errors import UsageError
from onecard.operations import replay as again
from onecard.operations.choice import check_rejected
from onecard.operations.replay import Replayed
from onecard.store import database, quarantine
from onecard.store.quarantine import Wanted

Reason = Annotated[str, why("Why; it is audited.")]


def release(record: Id, *, reason: Reason) -> None:
    """Deliver a row that the free-text scan held back: a person vouches for it."""
    with output.errors_as_exit_codes():
        done = again.release(Hub(), record, reason)
        output.say(f"row {record}: delivered under {done.subject}")


def replay(  # noqa: PLR0913 - one parameter for each option
    records: Annotated[
        list[int] | None, typer.Argument(help="Ids from `quarantine list`; or options.")
    ] = None,
    *,
    reason: Reason,
    dataset: Dataset = None,
    rule: RuleName = None,
    since: Since = None,
    transfer: TransferId = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even over a newer published row; audited.")
    ] = False,
    json: Json = False,
) -> None:
    """Check rows again under the contract and agreement in force now; exit 1 if one fails.

    Args:
        records: ids of quarantined rows; None: those that the options name and that still wait.
        reason: why; it is audited for each row.
        dataset: only its rows.
        rule: only rows that broke it.
        since: only rows seen since.
        transfer: only rows that this transfer rejected last.
        force: publish a row although the registry has a newer one of its record.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        chosen = records or _chosen(hub, wanted(hub, dataset, rule, since, transfer))
        done: list[Replayed] = []
        for each in again.replay_all(hub, chosen, reason, force=force):
            done.append(each)
            if not json:
                output.say(f"row {each.record}{_of(each)}: {_words(each)}")
        summary = Counter(each.outcome for each in done)
        if json:
            lines = [
                {"row": e.record, "subject": e.subject, "outcome": e.outcome, "says": e.says}
                for e in done
            ]
            output.emit({"rows": lines, "summary": summary})
        elif len(done) != 1:
            listed = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(summary.items()))
            output.say(f"{len(done):,} rows: {listed}" if done else "no row waits that is so")
    if not all(each.done for each in done):
        raise typer.Exit(1)


def _of(each: Replayed) -> str:
    return f" of {each.subject}" if each.subject else ""


def _words(each: Replayed) -> str:
    if each.done:
        return f"passed, {each.outcome}"
    return each.says or "fails again"


def _chosen(hub: Hub, which: Wanted) -> list[int]:
    """Ids of the rows that wait and are so, oldest first.

    Raises:
        UsageError: nothing says which, or it names what is not there.
    """
    if which == Wanted():
        msg = "say which rows: ids, or one of --dataset, --rule, --since, --transfer"
        raise UsageError(msg)
    with database.connect(hub.address, autocommit=True) as connection:
        found = quarantine.wanted(connection, which)
        if not found:
            check_rejected(hub.catalogue, connection, which)
    return [record.id for record in reversed(found)]
