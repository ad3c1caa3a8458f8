"""The command that compares both sides of a transfer: reconcile."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json, moment, why
from onecard.errors import UsageError, unknown
from onecard.model.reconciliations import ReconciliationResult
from onecard.model.row_order import accepting
from onecard.model.signoffs import SignOff
from onecard.reconcile.dataset import AcceptOlder, ReconcileOptions
from onecard.reconcile.dataset import reconcile as reconcile_dataset
from onecard.reconcile.inbox import reconcile_inbox

SHOWN = (
    *("missing", "extra", "differing", "older", "waiting", "quarantined"),
    *("healed", "tombstoned", "held"),
)
SHOWN_OF_INBOX = (
    *("agreeing", "missing", "extra", "differing", "waiting", "lapsed", "quarantined"),
    *("healed", "held"),
)


def reconcile(  # noqa: PLR0913 - one parameter for each option
    subject: Annotated[
        str,
        typer.Argument(help="Dataset (compared with its source) or agreement (with its inbox)."),
    ],
    *,
    since: Annotated[
        str | None,
        typer.Option(help="Of a dataset: only rows with a cursor from this instant on (ISO 8601)."),
    ] = None,
    heal: Annotated[
        bool, typer.Option(help="Publish, or deliver again, what is missing or differs.")
    ] = True,
    release: Annotated[
        bool,
        typer.Option("--release", help="Of a dataset: delete more rows than the limit allows."),
    ] = False,
    accept_older: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-older",
            metavar="REF",
            help="Of a dataset: let this older row of the source replace the newer published one;"
            " `all`: all of them.",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Of --release, --accept-older: who vouches, by name and office.")
    ] = "",
    reason: Annotated[
        str, why("Of --release, --accept-older: why; it is kept, so name no person.")
    ] = "",
    json: Json = False,
) -> None:
    """Compare a dataset with its source, or an inbox with its agreement, and heal it.

    Args:
        subject: id of a dataset (compared with its source) or of an agreement (with its inbox).
        since: ISO 8601: only rows with a cursor from then on; None: all.
        heal: publish, or deliver again, what is missing or differs.
        release: delete more rows than the limit allows; needs `by` and `reason`.
        accept_older: references of rows that are older at the source and are published all the
            same; needs `by` and `reason`.
        by: who vouches for that, by name and office.
        reason: why; kept, so it names no person.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        accepted = tuple(accept_older or ())
        how = _vouching(needed=release or bool(accepted), by=by, reason=reason)
        start = None if since is None else moment(since, "--since")
        accept = AcceptOlder(accepted, how) if how and accepted else None
        options = ReconcileOptions(start, heal, how if release else None, accept)
        done = _run(Hub(), subject, options)
        _show(done, as_json=json)
        done.check()
    if done.outcome in ("open", "unjudged"):
        raise typer.Exit(1)


def _vouching(*, needed: bool, by: str, reason: str) -> SignOff | None:
    if needed:
        return SignOff(by, reason)
    if by or reason:
        msg = "--by and --reason say who vouches and why: they need --release or --accept-older"
        raise UsageError(msg)
    return None


def _run(hub: Hub, subject: str, options: ReconcileOptions) -> ReconciliationResult:
    known = hub.catalogue
    if subject in known.contracts:
        return reconcile_dataset(hub, subject, options)
    if subject not in known.agreements:
        raise UsageError(
            unknown("dataset or agreement", subject, [*known.contracts, *known.agreements])
        )
    if options.since or options.release or options.accept:
        msg = (
            f"{subject}: --since, --release and --accept-older are of datasets; an inbox is"
            " compared whole"
        )
        raise UsageError(msg)
    return reconcile_inbox(hub, subject, heal=options.heal)


def _show(done: ReconciliationResult, *, as_json: bool) -> None:
    if as_json:
        output.emit(asdict(done) | {"rate": done.rate})
        return
    of_inbox = "/" not in done.subject
    names = SHOWN_OF_INBOX if of_inbox else SHOWN
    counts = ", ".join(f"{name} {getattr(done, name):,}" for name in names)
    output.say(
        f"{done.subject}: {done.outcome}: {done.rows_hub:,} rows here, {done.rows_other:,} there:"
        f" {counts}"
    )
    if done.outcome == "unjudged":
        output.say("  the consumer has taken parcels out of its folder: what it holds is not seen")
    elif of_inbox:
        output.say(f"  状态一致率 {_percent(done.rate)}")
    for kind, refs in done.refs.items():
        output.say(f"  {kind}: {' '.join(ref[:16] for ref in refs)}")
    if done.older and done.outcome == "open":
        output.say(
            "  older: the source has these rows in a state that is older than what is published,"
            " or was published as deleted, by the contract's order; no collect publishes them."
            f" Mend the source, or `{accepting(done.subject)}`"
        )
    if "rejected" in done.refs:
        output.say(
            "  rejected: the gate refuses them in the source, and they are published: they stay so;"
            f" `onecard collect {done.subject} --whole` says why"
        )


def _percent(rate: float | None) -> str:
    """Rounded down: 100% is said only when every row agrees."""
    return "—" if rate is None else f"{int(rate * 10_000 + 1e-9) / 100:.2f}%"
