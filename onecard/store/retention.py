"""How long every table of the hub keeps its rows, and what ends them: one entry for each table.

Housekeeping drops by these entries (`onecard.store.expiry`), docs/retention.md is made of them
(`tools/make_retention.py`), and a test finds the table that has none. What a consumer keeps is its
agreement's `retention`; what a source keeps is its agency's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

from onecard.model.attachments import KEPT, KEPT_UNCLOSED
from onecard.store import months
from schemas.models import misuse

YEARS = 3
"""Records of provision are kept for three years (Network Data Security Regulation, article 12;
ADR 0012)."""
HOURS_KEPT = timedelta(days=8)
"""So far back how fast events travel, and how calls were answered, is known by the hour."""
FOLDED_AFTER = timedelta(days=2)
"""So many whole days before today the live lane's transfers stand in the ledger one by one."""
DAY = timedelta(days=1)
CHANGES_KEPT = timedelta(days=30)
"""So long old values of link fields wait for agreements that lag, and gaps of events for what
lacks: an agreement that lags further looks at all rows, and what a source has lost by then does not
come any more."""

NOTICES_KEPT = timedelta(days=366)
"""So long it is known what people in charge of tickets were told, and whether it was sent."""


@dataclass(frozen=True, slots=True)
class Age:
    """What housekeeping drops by.

    Attributes:
        told_by: SQL of the moment or day by which a row's age is told.
        kept: None: `YEARS` by whole months, with a receipt; else a span, without one.
        by_month: the table is partitioned by the month, and whole months are dropped.
    """

    told_by: LiteralString
    kept: timedelta | None = None
    by_month: bool = False


@dataclass(frozen=True, slots=True)
class Retention:
    """One table.

    Attributes:
        name: `schema.table`; `*` stands for a name that a contract or a transfer gives.
        holds: what of persons it holds.
        ends: what ends its rows, in words.
        age: by what housekeeping drops them; None: something else does, or nothing.
    """

    name: str
    holds: str
    ends: str
    age: Age | None = None


COUNTS, PEOPLE_IN_CHARGE = "none: names and counts", "names of officials and operators"
REFERENCES, VALUES = "keyed references", "values of rows"
FOR_GOOD = "kept: it is the ledger's memory"
EVIDENCE = "kept: append-only evidence"
FOLDED = (
    "kept; those of the event lane are folded after 2 whole days, with their evidence (ADR 0037)"
)
THREE_YEARS = f"after {YEARS} years, by whole months"
CALLS = Age("hour")

TABLES: tuple[Retention, ...] = (
    Retention("ledger.absence", REFERENCES, "when the row is there again or was deleted"),
    Retention("ledger.agreement_event", PEOPLE_IN_CHARGE, EVIDENCE),
    Retention("ledger.audit", f"{REFERENCES}; {PEOPLE_IN_CHARGE}", EVIDENCE),
    Retention("ledger.audit_checkpoint", "none", EVIDENCE),
    Retention("ledger.audit_head", "none", "one line, which moves on"),
    Retention("ledger.audit_peaks", "none", "kept: a line for 100,000 entries of the log"),
    Retention("ledger.county_count", COUNTS, FOLDED),
    Retention("ledger.dataset", "none", "one line a dataset"),
    Retention("ledger.delivered", "none", "one line an agreement and dataset"),
    Retention("ledger.delivery_window", "none", "when its delivery is confirmed"),
    Retention("ledger.disclosure", REFERENCES, THREE_YEARS, Age("month", by_month=True)),
    Retention(
        "ledger.disclosure_delay",
        "case numbers; " + PEOPLE_IN_CHARGE,
        f"{YEARS} years after the delay is over, by whole months",
        Age("until"),
    ),
    Retention("ledger.erasure", PEOPLE_IN_CHARGE, FOR_GOOD),
    Retention("ledger.finding", COUNTS, FOLDED),
    Retention(
        "ledger.holding",
        f"{REFERENCES} and digests",
        "when the consumer has the row no more; a record that was not confirmed: with the next"
        " attempt",
    ),
    Retention("ledger.holding_head", "none", "one line an agreement"),
    Retention(
        "ledger.holding_pending", REFERENCES, "when a delivery of the agreement is confirmed"
    ),
    Retention("ledger.incident", PEOPLE_IN_CHARGE, FOR_GOOD),
    Retention("ledger.lane_county", COUNTS, FOR_GOOD),
    Retention("ledger.lane_day", COUNTS, FOR_GOOD),
    Retention("ledger.lane_disclosure", REFERENCES, THREE_YEARS, Age("month")),
    Retention("ledger.lane_finding", COUNTS, FOR_GOOD),
    Retention("ledger.lane_pack", "none", EVIDENCE),
    Retention("ledger.lane_rule", COUNTS, FOR_GOOD),
    Retention("ledger.lease", "none", "a day after its process was last heard of"),
    Retention("ledger.link_field", "none", "one line a field"),
    Retention("ledger.misuse_look", "none", "one line, which moves on"),
    Retention(
        "ledger.operator_suspension",
        PEOPLE_IN_CHARGE,
        f"{YEARS} years after it is over, by whole months",
        Age("until"),
    ),
    Retention("ledger.partition", "none", FOR_GOOD),
    Retention("ledger.partition_plan", "none", FOR_GOOD),
    Retention("ledger.privacy_day", COUNTS, FOR_GOOD),
    Retention("ledger.privacy_result", COUNTS, FOLDED),
    Retention("ledger.problem", f"{COUNTS}; {PEOPLE_IN_CHARGE}", FOR_GOOD),
    Retention("ledger.problem_day", COUNTS, FOR_GOOD),
    Retention("ledger.problem_event", PEOPLE_IN_CHARGE, EVIDENCE),
    Retention("ledger.question", REFERENCES, THREE_YEARS, Age("month", by_month=True)),
    Retention("ledger.question_call", PEOPLE_IN_CHARGE, "after a day", Age("at", DAY)),
    Retention(
        "ledger.question_count",
        PEOPLE_IN_CHARGE,
        "a day after its hour or day is over",
        Age("to_timestamp(since + span)", DAY),
    ),
    Retention("ledger.question_group", "none", THREE_YEARS, Age("month")),
    Retention("ledger.question_refusal", COUNTS, THREE_YEARS, CALLS),
    Retention(
        "ledger.question_time", COUNTS, f"{THREE_YEARS}; by the hour for 8 days", Age("since")
    ),
    Retention(
        "ledger.question_watch", f"{REFERENCES}; operators", "after a day", Age("at", misuse.KEPT)
    ),
    Retention("ledger.reaction", COUNTS, "kept; by the hour for 8 days, then by the day"),
    Retention("ledger.reaction_breach", COUNTS, FOR_GOOD),
    Retention("ledger.receipt", PEOPLE_IN_CHARGE, f"{EVIDENCE}, in packs where folded"),
    Retention("ledger.reconciliation", REFERENCES, FOR_GOOD),
    Retention("ledger.release", PEOPLE_IN_CHARGE, FOR_GOOD),
    Retention("ledger.rule_count", COUNTS, FOLDED),
    Retention("ledger.schema_version", "none", "one line"),
    Retention("ledger.statistic", "counts that a consumer holds", "when the cell is sent anew"),
    Retention("ledger.stop_event", PEOPLE_IN_CHARGE, EVIDENCE),
    Retention("ledger.ticket", f"{REFERENCES}; {PEOPLE_IN_CHARGE}", FOR_GOOD),
    Retention(
        "ledger.ticket_attachment",
        f"whatever an agency attaches, sealed; {PEOPLE_IN_CHARGE}",
        f"content: {KEPT.days} days after its ticket was closed, or {KEPT_UNCLOSED.days} after it"
        " was answered and not closed; number, size and keyed digest are kept",
    ),
    Retention("ledger.ticket_event", PEOPLE_IN_CHARGE, FOR_GOOD),
    Retention("ledger.ticket_notice", "none", "after a year", Age("made_at", NOTICES_KEPT)),
    Retention(
        "ledger.ticket_told",
        "official addresses of people in charge",
        "with its notice",
        Age("told_at", NOTICES_KEPT),
    ),
    Retention("ledger.transfer", "none", FOLDED),
    Retention(
        "ledger.upload",
        "row numbers, fields and rules",
        "a year after it ended: within that its id is not taken a second time",
        Age("ended_at", timedelta(days=366)),
    ),
    Retention("ledger.went_ahead", COUNTS, FOR_GOOD),
    Retention("quarantine.reason", "none: numbers of rows", "when the row is open no more"),
    Retention(
        "quarantine.record",
        f"{VALUES}, sealed; {REFERENCES}",
        "values: when they were corrected and published, or after `ONECARD_QUARANTINE_DAYS`;"
        " the reasons are kept",
    ),
    Retention(
        "registry.*", VALUES, "what the source has; a deleted row is marked, and leaves no more"
    ),
    Retention("registry.carrier_gap", VALUES, "when the gap is closed, or after 30 days"),
    Retention("registry.former", VALUES, "when every agreement has looked, or after 30 days"),
    Retention(
        "registry.waiting_carrier", VALUES, "when the agreement's next delivery is confirmed"
    ),
    Retention("staging.*", VALUES, "when the transfer ends, or the dataset's next one begins"),
)


def of(name: str) -> Retention | None:
    """The entry of a table, by its own name or that of its family; None: it has none."""
    known = {entry.name: entry for entry in TABLES}
    return known.get(name) or known.get(f"{name.partition('.')[0]}.*")


def timed(*, with_receipt: bool) -> tuple[Retention, ...]:
    """Tables that housekeeping drops from by age.

    Args:
        with_receipt: those whose rows are kept for years; else those kept for a shorter span.
    """
    aged = ((entry, entry.age) for entry in TABLES)
    return tuple(e for e, age in aged if age is not None and (age.kept is None) == with_receipt)


def oldest_month(today: date) -> date:
    """First day of the oldest month that is kept: that of today, `YEARS` ago."""
    return months.first_of(today).replace(year=today.year - YEARS)


def limit(age: Age, now: datetime) -> date | datetime:
    """Rows of before this day or moment go.

    Args:
        age: of a table.
        now: the hub's time.
    """
    return oldest_month(now.date()) if age.kept is None else now - age.kept
