"""How `onecard collect --dry-run` says what would happen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from onecard.cli import output
from onecard.operations.dry_run import DryRun


def show(found: Iterable[DryRun], *, as_json: bool) -> None:
    """Print what collects would do.

    Args:
        found: of each dataset.
        as_json: print JSON instead of text.
    """
    if as_json:
        output.emit([asdict(each) for each in found])
        return
    for each in found:
        _show(each)


def _show(found: DryRun) -> None:
    more = "" if found.whole else ", and there are more"
    output.say(
        f"{found.dataset}: {found.read:,} rows read{more}; {found.accepted:,} would be accepted,"
        f" {found.rejected:,} rejected, {found.repeated:,} repeat a key; nothing was stored"
    )
    heads = ("field", "in the source", "type", "filled", "rejected")
    rows = [(c.field, c.native, c.type, c.filled, c.rejected) for c in found.columns]
    output.table("columns", heads, rows)
    for title, counted in (("rejected", found.reasons), ("warnings", found.warnings)):
        if counted:
            output.table(title, ("field", "rule", "rows"), counted)
    for remark in found.remarks:
        output.say(remark)
    for hold in found.holds:
        output.say(f"would be held: {hold}")
    if found.fails:
        output.say(f"would fail: {found.fails}")
