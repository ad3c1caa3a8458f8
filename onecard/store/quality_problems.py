"""Problems of data quality, one by one: `ledger.problem`, its days, and what people said of it.

How many rows of each stand in quarantine, and which, is kept by triggers of `quarantine.record`, so
that whoever changes a row changes the problem with it. What a collect counted is added by `note`
in the transaction that publishes. Every word of a person is an event that cannot be changed and an
entry of the audit log, in one transaction; the audit log holds no free text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

from onecard.base.times import ZONE
from onecard.model.quality_problems import (
    ChangedMeanwhile,
    KnownProblem,
    OpenProblem,
    OpenProblems,
    ProblemDay,
    ProblemEvent,
    WeekCompared,
)
from onecard.store import audit
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar
from onecard.store.problem_sql import NAMED, NOTE, OF_TRANSFER, WORSE
from onecard.store.together import Sent, send

_COLUMNS: LiteralString = (
    "SELECT p.id, dataset, field, rule, severity, first_seen, last_seen, last_transfer,"
    " last_failed, last_read, since, ended_at, ended_by, times, kept, open_rows, state, owner,"
    " accepted_until, coalesce((SELECT max(e.id) FROM ledger.problem_event e"
    " WHERE e.problem = p.id), 0) AS version FROM ledger.problem p"
)
_TIMES = ("first_seen", "last_seen", "since", "ended_at")


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A rejected row of a problem: where it stood, without values.

    Attributes:
        status: `held`, or `purged` where its values are gone.
    """

    id: int
    origin: str
    row_number: int
    first_seen: datetime
    last_seen: datetime
    last_transfer: int
    status: str


@dataclass(frozen=True, slots=True)
class CountyRows:
    """Rows of a dataset by county (six digits; empty: elsewhere)."""

    county: str
    rows_read: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Said:
    """A word of a person about problems; its text was found fit to be kept."""

    actor: str
    at: datetime
    text: str = ""
    until: date | None = None


def note(connection: Connection, transfer: int) -> None:
    """Add what a collect has counted; what a reading of the whole source found no more is over.

    Args:
        connection: in the transaction that publishes, after the transfer's counts are written.
        transfer: the collect; a reading of its source, no single row out of the quarantine.
    """
    connection.execute(OF_TRANSFER, {"transfer": transfer})
    connection.execute(NOTE, {"transfer": transfer})


def of_datasets(connection: Connection, datasets: Collection[str]) -> list[KnownProblem]:
    """All problems that some datasets have or had, by id."""
    statement = _COLUMNS + " WHERE dataset = ANY(%s) ORDER BY p.id"
    return fetch_all(connection, _problem, statement, (sorted(datasets),))


def open_counts(
    connection: Connection, late_since: Mapping[str, date], today: date
) -> Sent[OpenProblems]:
    """How many problems some datasets have that have not ended, and are overdue.

    Args:
        connection: of the hub's database.
        late_since: of each dataset the latest day that is too long ago for a problem to begin on.
        today: the hub's day.
    """
    return send(
        connection,
        OpenProblems,
        "SELECT dataset, count(*) AS problems, count(*) FILTER (WHERE waits AND day <= late)"
        " AS overdue, min(day) FILTER (WHERE waits AND day > late) AS next_since"
        " FROM (SELECT p.dataset, CAST(p.since AT TIME ZONE 'Asia/Shanghai' AS date) AS day,"
        " p.accepted_until IS NULL OR p.accepted_until < %(today)s AS waits, l.late"
        " FROM ledger.problem p JOIN unnest(%(datasets)s::text[], %(late)s::date[])"
        " l (dataset, late) ON l.dataset = p.dataset WHERE p.ended_at IS NULL) o GROUP BY dataset"
        " ORDER BY dataset",
        {"datasets": list(late_since), "late": list(late_since.values()), "today": today},
    )


def oldest(
    connection: Connection, datasets: Collection[str], today: date, each: int
) -> Sent[OpenProblem]:
    """Problems that are neither ended nor accepted, of each agency those that began first.

    Args:
        connection: of the hub's database.
        datasets: whose.
        today: the hub's day.
        each: of each agency at most so many.
    """
    return send(
        connection,
        OpenProblem,
        "SELECT id, dataset, CAST(since AT TIME ZONE 'Asia/Shanghai' AS date) AS day,"
        " CASE WHEN kept THEN open_rows ELSE last_failed END AS rows"
        " FROM (SELECT *, row_number() OVER (PARTITION BY split_part(dataset, '/', 1)"
        " ORDER BY since, id) AS place FROM ledger.problem"
        " WHERE dataset = ANY(%(datasets)s) AND ended_at IS NULL"
        " AND (accepted_until IS NULL OR accepted_until < %(today)s)) o WHERE place <= %(each)s"
        " ORDER BY id",
        {"datasets": sorted(datasets), "today": today, "each": each},
    )


def some(connection: Connection, problems: Collection[int]) -> Sent[KnownProblem]:
    """Problems of these ids."""
    return send(
        connection, _problem, _COLUMNS + " WHERE p.id = ANY(%s) ORDER BY p.id", (list(problems),)
    )


def get(connection: Connection, problem: int) -> KnownProblem | None:
    """The problem of that id, or None."""
    return fetch_one(connection, _problem, _COLUMNS + " WHERE p.id = %s", (problem,))


def events(connection: Connection, problem: int) -> list[ProblemEvent]:
    """What people said of a problem, oldest first."""
    return fetch_all(
        connection,
        _event,
        "SELECT at, event, actor, text, until FROM ledger.problem_event WHERE problem = %s"
        " ORDER BY id",
        (problem,),
    )


def days(connection: Connection, problems: Collection[int], first: date) -> Sent[ProblemDay]:
    """Days on which rows broke these rules, by problem and day.

    Args:
        connection: of the hub's database.
        problems: their ids.
        first: from this day on.
    """
    return send(
        connection,
        ProblemDay,
        "SELECT problem, day, failed, rows_read FROM ledger.problem_day"
        " WHERE problem = ANY(%s) AND day >= %s ORDER BY problem, day",
        (sorted(problems), first),
    )


@dataclass(frozen=True, slots=True)
class Weeks:
    """Two weeks that are compared.

    Attributes:
        start: the day before the first of them.
        week: the last day of the first.
        today: the last day of the second.
        first: the day from which on the days of each problem are told, no later than the others.
    """

    start: date
    week: date
    today: date
    first: date


def worse(
    connection: Connection, datasets: Collection[str], weeks: Weeks, limit: int
) -> Sent[WeekCompared]:
    """Open problems that more rows broke in the second week, most more first.

    Args:
        connection: of the hub's database.
        datasets: whose.
        weeks: that are compared.
        limit: at most so many.
    """
    values = {
        "datasets": sorted(datasets),
        "start": weeks.start,
        "week": weeks.week,
        "today": weeks.today,
        "first": weeks.first,
        "limit": limit,
    }
    return send(connection, WeekCompared, WORSE, values)


def rows(connection: Connection, problem: int, before: int, limit: int) -> list[KeptRow]:
    """Open rows of a problem without values, the newest first.

    Args:
        connection: of the hub's database.
        problem: its id.
        before: only records with a lower id; 0: from the newest on.
        limit: at most so many.
    """
    return fetch_all(
        connection,
        KeptRow,
        "SELECT r.id, r.origin, r.row_number, r.first_seen, r.last_seen, r.last_transfer, r.status"
        " FROM (SELECT record FROM quarantine.reason WHERE problem = %(problem)s"
        " AND (%(before)s = 0 OR record < %(before)s) ORDER BY record DESC LIMIT %(limit)s) s"
        " JOIN quarantine.record r ON r.id = s.record ORDER BY r.id DESC",
        {"problem": problem, "before": before, "limit": limit},
    )


def holds_row(connection: Connection, problem: int, record: int) -> bool:
    """Whether a rejected row is one of the problem's open rows.

    Args:
        connection: of the hub's database.
        problem: its id.
        record: of the quarantine.
    """
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM quarantine.reason WHERE problem = %s AND record = %s)",
        (problem, record),
    )


def counties(connection: Connection, transfer: int) -> list[CountyRows]:
    """Rows by county of one collect, most rejected first; nothing where none were counted.

    Args:
        connection: of the hub's database.
        transfer: the collect.
    """
    return fetch_all(
        connection,
        CountyRows,
        "SELECT county, rows_read, quarantined FROM ledger.county_count WHERE transfer = %s"
        " ORDER BY quarantined DESC, county",
        (transfer,),
    )


def acknowledge(connection: Connection, found: Collection[KnownProblem], said: Said) -> None:
    """A person cares for some problems, and is their owner from now on.

    Args:
        connection: the transaction is opened here.
        found: problems as the person has seen them.
        said: by whom, and when.

    Raises:
        ChangedMeanwhile: somebody has said something of one of them since.
    """
    _say(connection, found, "acknowledged", said)


def accept(connection: Connection, found: Collection[KnownProblem], said: Said) -> None:
    """Problems are left as they are until a day, for a reason.

    Args:
        connection: the transaction is opened here.
        found: problems as the person has seen them.
        said: by whom, when, why and until when.

    Raises:
        ChangedMeanwhile: as `acknowledge`.
    """
    _say(connection, found, "accepted", said)


def reopen(connection: Connection, found: KnownProblem, said: Said) -> None:
    """A problem that was accepted is accepted no more.

    Args:
        connection: the transaction is opened here.
        found: the problem as the person has seen it.
        said: by whom, when and why.

    Raises:
        ChangedMeanwhile: as `acknowledge`.
    """
    _say(connection, [found], "reopened", said)


def comment(connection: Connection, found: KnownProblem, said: Said) -> None:
    """A person says something of a problem.

    Args:
        connection: the transaction is opened here.
        found: the problem.
        said: by whom, when and what.
    """
    with connection.transaction():
        _write(connection, found, "commented", said)


_BECOMES: dict[str, LiteralString] = {
    "acknowledged": "state = 'acknowledged', accepted_until = NULL, owner = %(actor)s",
    "accepted": "state = 'accepted', accepted_until = %(until)s",
    "reopened": "state = 'open', accepted_until = NULL",
}


def _say(
    connection: Connection, found: Collection[KnownProblem], event: LiteralString, said: Said
) -> None:
    with connection.transaction():
        # All at once, before the audit log: whoever publishes has problems first, then the log.
        connection.execute(NAMED, {"problems": [p.id for p in found]})
        for problem in sorted(found, key=lambda p: p.id):
            _unchanged(connection, problem)
            connection.execute(
                "UPDATE ledger.problem SET " + _BECOMES[event] + " WHERE id = %(id)s",
                {"id": problem.id, "actor": said.actor, "until": said.until},
            )
            _write(connection, problem, event, said)


def _unchanged(connection: Connection, problem: KnownProblem) -> None:
    """See that nobody has said anything of the problem, which is locked, since it was read."""
    now = get(connection, problem.id)
    if now is None or now.version != problem.version or now.ended_at is not None:
        msg = f"problem {problem.id} has changed meanwhile; read it again"
        raise ChangedMeanwhile(msg)


def _write(connection: Connection, problem: KnownProblem, event: str, said: Said) -> None:
    connection.execute(
        "INSERT INTO ledger.problem_event (problem, at, event, actor, text, until)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (problem.id, said.at, event, said.actor, said.text, said.until),
    )
    body: dict[str, object] = {
        "problem": problem.id,
        "field": problem.field,
        "rule": problem.rule,
        "rows": problem.rows,
    }
    if said.until is not None:
        body["until"] = said.until.isoformat()
    audit.append(connection, f"problem.{event}", problem.dataset, said.actor, body)


def _problem(**columns: Any) -> KnownProblem:  # noqa: ANN401 - a row by its columns
    times = {name: _local(columns[name]) for name in _TIMES}
    return KnownProblem(**{**columns, **times})


def _event(**columns: Any) -> ProblemEvent:  # noqa: ANN401 - a row by its columns
    return ProblemEvent(**{name: _local(value) for name, value in columns.items()})


def _local(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    """Times as the hub shows them: in its own zone."""
    return value.astimezone(ZONE) if isinstance(value, datetime) else value
